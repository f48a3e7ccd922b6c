// Report.cpp - lines, and the same lines between tags.
#include "tools/qwenc/verify/Report.h"

#include "llvm/ADT/SmallVector.h"
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

} // namespace

const Fault *Report::verdict() const {
  auto first = std::min_element(
      faults.begin(), faults.end(),
      [](const Fault &a, const Fault &b) { return a.blame < b.blame; });
  return first == faults.end() ? nullptr : &*first;
}

std::vector<std::string> Report::growth() const {
  // One row a layer, by its last tap; what comes before and after the layers
  // has rows of its own.
  struct Row {
    double local = 0;
    const TapScore *last = nullptr;
    std::string worst;
  };
  std::vector<std::pair<std::string, Row>> rows;
  for (const TapScore &score : scores) {
    std::string name =
        score.layer >= 0 ? "layer " + std::to_string(score.layer) : score.tap;
    if (rows.empty() || rows.back().first != name)
      rows.push_back({name, {}});
    Row &row = rows.back().second;
    if (row.worst.empty() || score.local > row.local) {
      row.local = score.local;
      row.worst = score.tap;
    }
    if (score.accumulated >= 0)
      row.last = &score;
  }
  std::vector<std::string> lines = {"\tlocal / bound\tof\taccumulated\tbound"};
  for (const auto &[name, row] : rows)
    lines.push_back(name + "\t" + number("%.3f", row.local) + "\t" + row.worst +
                    "\t" +
                    (row.last ? number("%.2e", row.last->accumulated) : "-") +
                    "\t" + (row.last ? number("%.2e", row.last->bound) : "-"));
  return lines;
}

std::string Report::text() const {
  std::string out = title + "\n";
  for (const Check &check : checks)
    out += "  " + check.name +
           std::string(12 - std::min<size_t>(11, check.name.size()), ' ') +
           (check.good ? "ok      " : "FAILED  ") + check.text + "\n";
  if (const Fault *fault = verdict(); fault && !fault->detail.empty())
    out += "\n" + fault->detail;
  if (scores.size() > 1) {
    std::vector<llvm::SmallVector<llvm::StringRef, 5>> table;
    std::vector<size_t> widths(5);
    std::vector<std::string> lines = growth();
    for (const std::string &line : lines) {
      table.emplace_back();
      llvm::StringRef(line).split(table.back(), '\t');
      for (size_t i = 0; i < table.back().size(); ++i)
        widths[i] = std::max(widths[i], table.back()[i].size());
    }
    out += "\nerror growth\n";
    for (const auto &row : table) {
      std::string text = " ";
      for (size_t i = 0; i < row.size(); ++i)
        text +=
            " " + row[i].str() + std::string(widths[i] - row[i].size(), ' ');
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
      "</title><style>body{font:14px/1.5 sans-serif;margin:2em}td,th{padding:0 "
      "1em 0 0;text-align:left}.bad{color:#b00}pre{background:#f4f4f4;padding:"
      "1em}</style><h1>" +
      escaped(title) + "</h1>";
  const Fault *fault = verdict();
  out += "<p class=" + std::string(fault ? "bad" : "good") + ">verdict: " +
         escaped(fault ? fault->verdict : "the executable computes the model") +
         "</p><table>";
  for (const Check &check : checks)
    out += "<tr class=" + std::string(check.good ? "good" : "bad") + "><td>" +
           escaped(check.name) + "<td>" + (check.good ? "ok" : "FAILED") +
           "<td>" + escaped(check.text);
  out += "</table>";
  for (const Fault &each : faults)
    out += "<h2>" + escaped(each.verdict) + "</h2><pre>" +
           escaped(each.detail) + "</pre>";
  out += "<h2>error growth</h2><table>";
  for (const std::string &line : growth()) {
    llvm::SmallVector<llvm::StringRef, 5> cells;
    llvm::StringRef(line).split(cells, '\t');
    out += "<tr>";
    for (llvm::StringRef cell : cells)
      out += "<td>" + escaped(cell);
  }
  out += "</table><h2>taps</h2><table><tr><th>tap<th>local / "
         "bound<th>accumulated<th>bound";
  for (const TapScore &score : scores)
    out += "<tr><td>" + escaped(score.tap) + "<td>" +
           number("%.3f", score.local) + "<td>" +
           (score.accumulated >= 0 ? number("%.2e", score.accumulated) : "") +
           "<td>" + (score.accumulated >= 0 ? number("%.2e", score.bound) : "");
  out += "</table>";
  for (const std::string &tie : nearTies)
    out += "<p>near tie: " + escaped(tie) + "</p>";
  return out + "\n";
}

} // namespace qwen::verify
