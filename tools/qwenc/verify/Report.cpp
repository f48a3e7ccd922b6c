// Report.cpp - lines, and the same lines between tags.
#include "tools/qwenc/verify/Report.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace qwen::verify {
namespace {

std::string number(const char *format, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), format, value);
  return text;
}

std::string escaped(llvm::StringRef text) {
  std::string out;
  llvm::raw_string_ostream stream(out);
  llvm::printHTMLEscaped(text, stream);
  return out;
}

bool isBeyond(const TapScore &score) {
  return !(score.local <= 1) ||
         (score.accumulated >= 0 && !(score.accumulated <= score.bound));
}

} // namespace

const Fault *Report::verdict() const {
  auto first = std::min_element(
      faults.begin(), faults.end(),
      [](const Fault &a, const Fault &b) { return a.blame < b.blame; });
  return first == faults.end() ? nullptr : &*first;
}

std::vector<Report::GrowthRow> Report::growth() const {
  // A layer is told by its largest local error and by its last tap.
  struct Row {
    std::string name, worst;
    double local = 0;
    const TapScore *last = nullptr;
    bool beyond = false;
  };
  std::vector<Row> rows;
  for (const TapScore &score : scores) {
    std::string name =
        score.layer >= 0 ? "layer " + std::to_string(score.layer) : score.tap;
    if (rows.empty() || rows.back().name != name) {
      rows.emplace_back();
      rows.back().name = name;
    }
    Row &row = rows.back();
    if (row.worst.empty() || score.local > row.local) {
      row.local = score.local;
      row.worst = score.tap;
    }
    if (score.accumulated >= 0)
      row.last = &score;
    row.beyond |= isBeyond(score);
  }
  std::vector<GrowthRow> table = {
      {{"", "local / bound", "of", "accumulated", "bound"}}};
  for (const Row &row : rows)
    table.push_back({{row.name, number("%.3f", row.local), row.worst,
                      row.last ? number("%.2e", row.last->accumulated) : "-",
                      row.last ? number("%.2e", row.last->bound) : "-"},
                     row.beyond});
  return table;
}

std::string Report::text() const {
  std::string out = title + "\n";
  for (const Check &check : checks)
    out += "  " + check.name +
           std::string(12 - std::min<size_t>(11, check.name.size()), ' ') +
           (check.good ? "ok      " : "FAILED  ") + check.text + "\n";
  if (const Fault *fault = verdict()) {
    if (!fault->detail.empty())
      out += "\n" + fault->detail;
    auto tap = llvm::find_if(faults, [](const Fault &f) { return f.ofTap; });
    if (!fault->ofTap && tap != faults.end())
      out += "first seen at\n" + tap->detail;
  }
  if (scores.size() > 1) {
    std::vector<GrowthRow> table = growth();
    std::vector<size_t> widths(table.front().cells.size());
    for (const GrowthRow &row : table)
      for (size_t i = 0; i < widths.size(); ++i)
        widths[i] = std::max(widths[i], row.cells[i].size());
    out += "\nerror growth\n";
    for (const GrowthRow &row : table) {
      std::string text = row.beyond ? "!" : " ";
      for (size_t i = 0; i < widths.size(); ++i)
        text += " " + row.cells[i] +
                std::string(widths[i] - row.cells[i].size(), ' ');
      out += llvm::StringRef(text).rtrim().str() + "\n";
    }
  }
  for (const std::string &tie : nearTies)
    out += "near tie: " + tie + "\n";
  const Fault *fault = verdict();
  out += fault ? "\nverdict: " + fault->verdict + "\n"
               : "\nverdict: the executable computes the model\n";
  return out;
}

std::string Report::html() const {
  std::string out =
      "<!doctype html><meta charset=utf-8><title>" + escaped(title) +
      "</title><style>body{font:14px/1.5 sans-serif;margin:2em;max-width:70em}"
      "h1{font-size:1.3em}h2{font-size:1.1em;margin-top:2em}"
      "table{border-collapse:collapse}"
      "td,th{padding:.1em 1.2em .1em 0;text-align:left;vertical-align:top}"
      "tr{border-bottom:1px solid #eee}"
      ".good{color:#070}.bad{color:#b00;font-weight:bold}"
      "pre{background:#f4f4f4;padding:1em;white-space:pre-wrap}</style><h1>" +
      escaped(title) + "</h1>";
  const Fault *fault = verdict();
  out += "<p class=" + std::string(fault ? "bad" : "good") + ">verdict: " +
         escaped(fault ? fault->verdict : "the executable computes the model") +
         "</p><table>";
  for (const Check &check : checks)
    out += "<tr><td>" + escaped(check.name) +
           "<td class=" + (check.good ? "good>ok" : "bad>FAILED") + "<td>" +
           escaped(check.text);
  out += "</table>";
  for (const Fault &each : faults)
    out += "<h2>" + escaped(each.verdict) + "</h2><pre>" +
           escaped(each.detail) + "</pre>";
  for (const std::string &tie : nearTies)
    out += "<p>near tie: " + escaped(tie) + "</p>";
  if (scores.empty())
    return out + "\n";
  out += "<h2>error growth</h2><p>Local: what an operator's result is off by, "
         "given the executable's own inputs, in units of what rounding may "
         "lose; above 1 it is wrong. Accumulated: what the result is off by "
         "from the reference's, as a relative root mean square. Rounding makes "
         "it rise layer by layer, a defect in one step.</p><table>";
  for (const GrowthRow &row : growth()) {
    out += row.beyond ? "<tr class=bad>" : "<tr>";
    for (const std::string &cell : row.cells)
      out += "<td>" + escaped(cell);
  }
  out += "</table><h2>taps</h2><table><tr><td><td>local / "
         "bound<td>accumulated<td>bound";
  for (const TapScore &score : scores) {
    bool compared = score.accumulated >= 0;
    out += isBeyond(score) ? "<tr class=bad><td>" : "<tr><td>";
    out += escaped(score.tap) + "<td>" + number("%.3f", score.local) + "<td>" +
           (compared ? number("%.2e", score.accumulated) : "") + "<td>" +
           (compared ? number("%.2e", score.bound) : "");
  }
  return out + "</table>\n";
}

} // namespace qwen::verify
