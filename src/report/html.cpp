#include "report/html.h"

#include <algorithm>
#include <cstdint>

namespace mereo {

namespace {

constexpr std::string_view style = R"(
:root { color-scheme: light; }
body { margin: 0 auto; padding: 1rem; max-width: 72rem; background: #fff; color: #1a1a1a;
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; }
img, svg { max-width: 100%; height: auto; }
figure { margin: 0; }
figcaption, .note { color: #555; font-size: 0.9rem; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
caption { text-align: left; }
)";

} // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text)
    switch (c) {
    case '&':
      escaped += "&amp;";
      break;
    case '<':
      escaped += "&lt;";
      break;
    case '>':
      escaped += "&gt;";
      break;
    case '"':
      escaped += "&quot;";
      break;
    case '\'':
      escaped += "&#39;";
      break;
    case '\t':
    case '\n':
      escaped += c;
      break;
    default:
      if ((c >= 0 && c < ' ') || c == '\x7f')
        escaped += "\xef\xbf\xbd"; // U+FFFD
      else
        escaped += c;
    }
  return escaped;
}

std::string html_page(std::string_view title, std::string_view body, std::string_view more_style) {
  const std::string name = escape_html(title);
  std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  page.append("<title>").append(name).append("</title>\n<style>").append(style);
  page.append(more_style).append("</style>\n</head>\n<body>\n<h1>").append(name);
  page.append("</h1>\n").append(body).append("</body>\n</html>\n");
  return page;
}

std::string png_uri(std::string_view png) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string uri = "data:image/png;base64,";
  for (std::size_t i = 0; i < png.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, png.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (k < count ? std::uint8_t(png[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k)
      uri += k <= count ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return uri;
}

} // namespace mereo
