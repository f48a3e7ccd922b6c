// Svg.cpp - elements as text; coordinates have one decimal.
#include "tools/qwenc/Svg.h"

#include <cstdio>

namespace qwen {
namespace {

std::string attribute(const char *name, double value) {
  return std::string(" ") + name + "=\"" + number(value, 1) + "\"";
}

std::string closed(const char *element, std::string_view hint) {
  if (hint.empty())
    return "/>\n";
  return "><title>" + escaped(hint) + "</title></" + element + ">\n";
}

} // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text)
    result += c == '&'   ? "&amp;"
              : c == '<' ? "&lt;"
              : c == '>' ? "&gt;"
              : c == '"' ? "&quot;"
                         : std::string(1, c);
  return result;
}

std::string number(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof(buffer), "%.*f", digits, value);
  std::string text = buffer;
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.')
      text.pop_back();
  }
  return text;
}

Svg::Svg(double width, double height, std::string_view title)
    : body("<svg viewBox=\"0 0 " + number(width, 0) + " " + number(height, 0) +
           "\" style=\"max-width:" + number(width, 0) +
           "px\" role=\"img\"><title>" + escaped(title) + "</title>\n") {}

void Svg::line(double x0, double y0, double x1, double y1,
               std::string_view css) {
  body += "<line class=\"" + std::string(css) + "\"" + attribute("x1", x0) +
          attribute("y1", y0) + attribute("x2", x1) + attribute("y2", y1) +
          "/>\n";
}

void Svg::path(const std::vector<std::pair<double, double>> &points,
               std::string_view css, std::string_view style,
               std::string_view hint) {
  std::string list;
  for (const auto &[x, y] : points)
    list += (list.empty() ? "" : " ") + number(x, 1) + "," + number(y, 1);
  body += "<polyline class=\"" + std::string(css) + "\" points=\"" + list +
          "\"" +
          (style.empty() ? "" : " style=\"" + std::string(style) + "\"") +
          closed("polyline", hint);
}

void Svg::dot(double x, double y, double radius, std::string_view css,
              std::string_view hint) {
  body += "<circle class=\"" + std::string(css) + "\"" + attribute("cx", x) +
          attribute("cy", y) + attribute("r", radius) + closed("circle", hint);
}

void Svg::text(double x, double y, std::string_view text,
               std::string_view anchor) {
  body += "<text" + attribute("x", x) + attribute("y", y) + " text-anchor=\"" +
          std::string(anchor) + "\">" + escaped(text) + "</text>\n";
}

} // namespace qwen
