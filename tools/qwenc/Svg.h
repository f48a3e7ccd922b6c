// Svg.h - text of inline SVG elements.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace qwen {

/// `text` with the characters that HTML reads as markup replaced.
std::string escaped(std::string_view text);

/// A number with at most `digits` decimals and no trailing zeros.
std::string number(double value, int digits = 2);

class Svg {
public:
  Svg(double width, double height, std::string_view title);

  void line(double x0, double y0, double x1, double y1, std::string_view css);
  void path(const std::vector<std::pair<double, double>> &points,
            std::string_view css, std::string_view style = "",
            std::string_view hint = "");
  void dot(double x, double y, double radius, std::string_view css,
           std::string_view hint);
  /// `anchor` is start, middle or end.
  void text(double x, double y, std::string_view text,
            std::string_view anchor = "start");
  std::string str() const { return body + "</svg>\n"; }

private:
  std::string body;
};

} // namespace qwen
