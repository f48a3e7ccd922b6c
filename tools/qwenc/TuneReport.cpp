// TuneReport.cpp - figures of a search as one page.
//
// Source  Williams, Waterman and Patterson, Roofline, CACM 52 (2009);
//         Inselberg, The plane with parallel coordinates (1985)
#include "tools/qwenc/TuneReport.h"
#include "tools/qwenc/Svg.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace qwen {
namespace {

constexpr const char *kStyle = R"css(
:root { color-scheme: light dark; --ink: #1c2330; --faint: #8a93a3;
  --line: #d9dee6; --page: #fbfcfd; --card: #fff; --good: #0b7a75;
  --base: #b35c1e; --roof: #5b6577; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --faint: #8d97a8;
  --line: #333b48; --page: #14181f; --card: #1b2029; --good: #4fc3b8;
  --base: #f0a35e; --roof: #9aa5b8; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--page); margin: 0 auto; padding: 24px; max-width: 1320px; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 32px 0 8px; }
h3 { font-size: 13px; margin: 0 0 4px; font-weight: 600; overflow-wrap: anywhere; }
p { color: var(--faint); margin: 0 0 12px; max-width: 75ch; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: 4px 10px; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
.cards { display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); }
.card { background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; padding: 12px; }
svg { width: 100%; display: block; } svg text { fill: var(--faint);
  font: 11px system-ui, sans-serif; }
.axis { stroke: var(--line); } .roof { stroke: var(--roof); fill: none; stroke-width: 1.5; }
.best { stroke: var(--good); fill: none; stroke-width: 2; }
.win { fill: var(--good); } .default { fill: var(--base); }
.try { fill: var(--faint); opacity: .5; }
.point { fill: none; stroke-width: 1.2; opacity: .7; }
.point.first { stroke: var(--good); stroke-width: 3; opacity: 1; }
.point.start { stroke: var(--base); stroke-width: 2.5; opacity: 1; }
.gain { color: var(--good); font-weight: 600; }
.key::before { content: "\25CF\00a0"; } .key.w { color: var(--good); }
.key.d { color: var(--base); }
)css";

std::string nameOf(const TunedKernel &kernel) {
  std::string text = kernel.symbol.kernel;
  for (const std::string &option : kernel.symbol.options)
    text += " " + option;
  for (const auto &[name, value] : kernel.symbol.dims)
    text += " " + name + std::to_string(value);
  return text;
}

std::string pointText(const TunedKernel &kernel,
                      const std::vector<int64_t> &point) {
  std::string text;
  for (size_t i = 0; i < point.size(); ++i)
    text += (i ? ", " : "") + kernel.knobs[i] + " " + std::to_string(point[i]);
  return text;
}

double gainOf(const TunedKernel &kernel) {
  return kernel.defaultMicroseconds / kernel.microseconds;
}

double geometricMean(const TunedFile &file) {
  double logs = 0;
  for (const TunedKernel &kernel : file.kernels)
    logs += std::log(gainOf(kernel));
  return std::exp(logs / std::max<double>(1, double(file.kernels.size())));
}

/// Where a value lies between two others on a logarithmic axis, 0 to 1.
double logPlace(double value, double low, double high) {
  return (std::log(value) - std::log(low)) / (std::log(high) - std::log(low));
}

/// The powers of ten between two values.
std::vector<double> decades(double low, double high) {
  std::vector<double> list;
  for (auto power = int64_t(std::ceil(std::log10(low)));
       std::pow(10, power) < high; ++power)
    list.push_back(std::pow(10, power));
  return list;
}

/// Speed in multiplications a second over multiplications for each byte of
/// weights; kernels without weights have no place in it.
std::string roofline(const TunedFile &file) {
  constexpr double kWidth = 1000, kHeight = 420, kLeft = 60, kBottom = 380;
  double low = 1e300, high = 0, slow = 1e300, fast = 0;
  std::set<std::pair<double, double>> roofs; // read rate, product rate
  for (const TunedKernel &kernel : file.kernels) {
    if (kernel.bytes <= 0 || kernel.products <= 0)
      continue;
    const double intensity = double(kernel.products) / double(kernel.bytes);
    low = std::min(low, intensity / 2);
    high = std::max(high, intensity * 2);
    slow = std::min(slow, double(kernel.products) / kernel.defaultMicroseconds *
                              1e6 / 2);
    fast = std::max({fast, kernel.productRate * 1.5,
                     double(kernel.products) / kernel.microseconds * 1.5e6});
    if (kernel.readRate > 0 && kernel.productRate > 0)
      roofs.insert({kernel.readRate, kernel.productRate});
  }
  if (fast <= slow || roofs.empty())
    return "<p>No kernel here reads weights.</p>\n";
  for (const auto &[read, product] : roofs)
    high = std::max(high, product / read * 2);
  Svg svg(kWidth, kHeight, "roofline");
  const auto x = [&](double intensity) {
    return kLeft + logPlace(intensity, low, high) * (kWidth - kLeft - 20);
  };
  const auto y = [&](double rate) {
    return kBottom - logPlace(rate, slow, fast) * (kBottom - 20);
  };
  for (const double tick : decades(slow, fast)) {
    svg.line(kLeft, y(tick), kWidth - 20, y(tick), "axis");
    svg.text(kLeft - 6, y(tick) + 4, number(tick * 1e-9), "end");
  }
  for (const double tick : decades(low, high)) {
    svg.line(x(tick), 20, x(tick), kBottom, "axis");
    svg.text(x(tick), kBottom + 16, number(tick), "middle");
  }
  svg.text(4, 12, "billion multiplications a second");
  svg.text(kWidth - 20, kBottom + 34,
           "multiplications for each byte of weights", "end");
  for (const auto &[read, product] : roofs) {
    const double from = std::max(low, slow / read);
    const double ridge = std::min(high, product / read);
    svg.path({{x(from), y(from * read)},
              {x(ridge), y(ridge * read)},
              {x(high), y(std::min(product, high * read))}},
             "roof", "",
             number(read * 1e-9) + " GB/s read, " + number(product * 1e-9, 0) +
                 " G multiplications/s");
  }
  for (const TunedKernel &kernel : file.kernels) {
    if (kernel.bytes <= 0 || kernel.products <= 0)
      continue;
    const double at = x(double(kernel.products) / double(kernel.bytes));
    const double work = double(kernel.products) * 1e6;
    const std::string name = nameOf(kernel);
    svg.dot(at, y(work / kernel.defaultMicroseconds), 4, "default",
            name + ": default, " + number(kernel.defaultMicroseconds) + " us");
    svg.dot(at, y(work / kernel.microseconds), 4, "win",
            name + ": " + number(kernel.microseconds) + " us");
  }
  return svg.str();
}

std::string winners(const TunedFile &file) {
  std::string rows;
  std::vector<const TunedKernel *> sorted;
  for (const TunedKernel &kernel : file.kernels)
    sorted.push_back(&kernel);
  std::sort(sorted.begin(), sorted.end(),
            [](const TunedKernel *a, const TunedKernel *b) {
              return double(a->calls) * a->microseconds >
                     double(b->calls) * b->microseconds;
            });
  for (const TunedKernel *kernel : sorted) {
    const double gain = gainOf(*kernel);
    const auto cell = [](const std::string &text) {
      return "<td>" + escaped(text) + "</td>";
    };
    rows +=
        "<tr>" + cell(nameOf(*kernel)) + cell(std::to_string(kernel->calls)) +
        cell(pointText(*kernel, kernel->defaultPoint)) +
        cell(number(kernel->defaultMicroseconds)) +
        cell(pointText(*kernel, kernel->symbol.point)) +
        cell(number(kernel->microseconds)) + "<td" +
        (gain > 1 ? " class=\"gain\"" : "") + ">" + number(gain) +
        "\xC3\x97</td>" +
        cell(kernel->roofMicroseconds > 0
                 ? number(100 * kernel->roofMicroseconds / kernel->microseconds,
                          0) +
                       " %"
                 : "") +
        "</tr>\n";
  }
  return "<div class=\"wide\"><table id=\"winners\"><thead><tr><th>kernel</th>"
         "<th>calls a step</th><th>default</th><th>\xC2\xB5s</th><th>winner"
         "</th><th>\xC2\xB5s</th><th>gain</th><th>of the roof</th></tr></thead>"
         "<tbody>\n" +
         rows + "</tbody></table></div>\n";
}

/// Least time so far over the default's, by points tried.
std::string convergence(const TunedKernel &kernel) {
  constexpr double kWidth = 320, kHeight = 150, kLeft = 34, kBottom = 130;
  const double base = kernel.trials.front().microseconds;
  double best = 1, low = 1, high = 1.05;
  for (const TunedTrial &trial : kernel.trials)
    if (!trial.failed) {
      low = std::min(low, trial.microseconds / base);
      high = std::min(3.0, std::max(high, trial.microseconds / base));
    }
  low = std::min(low, 0.95) * 0.98;
  Svg svg(kWidth, kHeight, "best time so far over the default's");
  const auto x = [&](size_t i) {
    return kLeft + 6 +
           double(i) * (kWidth - kLeft - 16) /
               std::max<double>(1, double(kernel.trials.size() - 1));
  };
  const auto y = [&](double ratio) {
    return kBottom -
           logPlace(std::min(ratio, high), low, high) * (kBottom - 12);
  };
  for (const double tick : {low, 1.0, high}) {
    svg.line(kLeft, y(tick), kWidth - 4, y(tick), "axis");
    svg.text(kLeft - 4, y(tick) + 4, number(tick), "end");
  }
  std::vector<std::pair<double, double>> curve;
  for (size_t i = 0; i < kernel.trials.size(); ++i) {
    const TunedTrial &trial = kernel.trials[i];
    const double ratio = trial.failed ? high : trial.microseconds / base;
    if (!trial.failed && ratio < best) {
      curve.emplace_back(x(i), y(best));
      best = ratio;
    }
    curve.emplace_back(x(i), y(best));
    svg.dot(x(i), y(ratio), 2.5, i == 0 ? "default" : "try",
            pointText(kernel, trial.point) + ": " +
                (trial.failed ? "failed" : number(ratio)));
  }
  svg.path(curve, "best");
  svg.text(kWidth - 4, kHeight - 4,
           std::to_string(kernel.trials.size()) + " points tried", "end");
  return svg.str();
}

/// One axis for each knob and one for the time; a line for each point.
std::string space(const TunedKernel &kernel) {
  constexpr double kWidth = 320, kHeight = 170, kTop = 12, kBottom = 140;
  const double base = kernel.trials.front().microseconds;
  const size_t axes = kernel.knobs.size() + 1;
  std::vector<std::vector<int64_t>> values(kernel.knobs.size());
  double low = 1, high = 1.01;
  for (const TunedTrial &trial : kernel.trials) {
    for (size_t i = 0; i < kernel.knobs.size(); ++i)
      values[i].push_back(trial.point[i]);
    if (!trial.failed) {
      low = std::min(low, trial.microseconds / base);
      high = std::min(3.0, std::max(high, trial.microseconds / base));
    }
  }
  Svg svg(kWidth, kHeight, "the space in parallel coordinates");
  const auto x = [&](size_t axis) {
    return 24 + double(axis) * (kWidth - 56) / double(axes - 1);
  };
  const auto place = [&](double part) {
    return kBottom - part * (kBottom - kTop);
  };
  for (size_t axis = 0; axis < axes; ++axis)
    svg.line(x(axis), kTop, x(axis), kBottom, "axis");
  for (size_t i = 0; i < values.size(); ++i) {
    std::sort(values[i].begin(), values[i].end());
    values[i].erase(std::unique(values[i].begin(), values[i].end()),
                    values[i].end());
    svg.text(x(i), kBottom + 18, kernel.knobs[i], "middle");
    for (size_t j = 0; j < values[i].size(); ++j)
      svg.text(x(i) - 4,
               place(values[i].size() < 2
                         ? 0.5
                         : double(j) / double(values[i].size() - 1)) +
                   4,
               std::to_string(values[i][j]), "end");
  }
  svg.text(x(axes - 1), kBottom + 18, "time", "middle");
  svg.text(x(axes - 1) + 4, place(0) + 4, number(low));
  svg.text(x(axes - 1) + 4, place(1) + 4, number(high));
  const auto draw = [&](const TunedTrial &trial, const std::string &css) {
    std::vector<std::pair<double, double>> points;
    for (size_t i = 0; i < values.size(); ++i) {
      const auto at =
          std::find(values[i].begin(), values[i].end(), trial.point[i]) -
          values[i].begin();
      points.emplace_back(
          x(i), place(values[i].size() < 2
                          ? 0.5
                          : double(at) / double(values[i].size() - 1)));
    }
    const double ratio = trial.failed ? high : trial.microseconds / base;
    const double part = logPlace(std::clamp(ratio, low, high), low, high);
    points.emplace_back(x(axes - 1), place(part));
    // From green for the fastest to red for the slowest.
    const std::string hue =
        "stroke:hsl(" + number(150 * (1 - part), 0) + " 55% 48%)";
    svg.path(points, css, css == "point" ? hue : "",
             pointText(kernel, trial.point) + ": " +
                 (trial.failed ? "failed" : number(ratio)));
  };
  for (const TunedTrial &trial : kernel.trials)
    draw(trial, "point");
  draw(kernel.trials.front(), "point start");
  for (const TunedTrial &trial : kernel.trials)
    if (trial.point == kernel.symbol.point && !trial.failed) {
      draw(trial, "point first");
      break;
    }
  return svg.str();
}

/// What each model's steps chose, and every value that was compared.
std::string steps(const TunedFile &file) {
  const auto cell = [](const std::string &text) {
    return "<td>" + escaped(text) + "</td>";
  };
  const auto times = [](double ratio) { return number(ratio) + "\xC3\x97"; };
  std::string text;
  for (const TunedModel &model : file.models) {
    text += "<h3>" + escaped(model.choices.model) + ": decode " +
            times(model.decodeRatio) + ", prefill " +
            times(model.prefillRatio) +
            "</h3>\n<div class=\"wide\"><table class=\"steps\"><thead><tr>"
            "<th>choice</th><th>value</th><th>decode</th><th>prefill</th>"
            "<th></th></tr></thead><tbody>\n";
    for (const StepTrial &trial : model.trials)
      text += "<tr>" + cell(trial.choice) + cell(std::to_string(trial.value)) +
              cell(times(trial.decodeRatio)) + cell(times(trial.prefillRatio)) +
              (trial.kept ? "<td class=\"gain\">kept</td>" : "<td></td>") +
              "</tr>\n";
    text += "</tbody></table></div>\n";
  }
  if (text.empty())
    return text;
  return "<h2>Whole steps</h2>\n<p>Executables that differ in one choice ran "
         "in turns; each value against the best before it.</p>\n" +
         text;
}

} // namespace

std::string tuneReport(const TunedFile &file) {
  std::set<std::string> machines;
  std::string names, cards;
  for (const TunedKernel &kernel : file.kernels) {
    if (machines.insert(kernel.machine).second)
      names += (names.empty() ? "" : ", ") + kernel.machine;
    if (kernel.trials.empty() || kernel.trials.front().failed)
      continue;
    cards += "<div class=\"card\"><h3>" + escaped(nameOf(kernel)) + "</h3>\n" +
             convergence(kernel) + (kernel.knobs.empty() ? "" : space(kernel)) +
             "</div>\n";
  }
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width\">"
         "<title>qwenc tune: " +
         escaped(file.target) + "</title><style>" + kStyle +
         "</style></head><body>\n<h1>Schedules of " +
         std::to_string(file.kernels.size()) + " kernels for " +
         escaped(file.target) + "</h1>\n<p>Measured on " + escaped(names) +
         "; " + number(geometricMean(file)) +
         " times the default in the geometric mean. <span class=\"key w\">"
         "winner</span> <span class=\"key d\">default</span></p>\n"
         "<h2>Roofline</h2>\n<p>Each kernel's speed over what it computes for "
         "each byte of weights it reads; the lines are what one core was "
         "measured to read and to multiply.</p>\n" +
         roofline(file) +
         "<h2>Winners and defaults</h2>\n<p>Dearest in a step first.</p>\n" +
         winners(file) + steps(file) +
         "<h2>Searches</h2>\n<p>Above: least time so far over the default's, "
         "by points tried. Below: every point tried, one line each, the "
         "slowest red; times are over the default's.</p>\n"
         "<div class=\"cards\">\n" +
         cards + "</div>\n</body></html>\n";
}

} // namespace qwen
