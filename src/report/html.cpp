#include "report/html.h"

#include <algorithm>
#include <cstdint>

namespace mereo {

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    case '\'':
      out += "&#39;";
      break;
    default:
      if ((c >= 0 && c < ' ' && c != '\t' && c != '\n') || c == 127)
        out += "\xef\xbf\xbd"; // U+FFFD
      else
        out += c;
    }
  }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t n = 0; n < 3; ++n)
      group = group << 8 | (n < count ? std::uint8_t(bytes[i + n]) : 0);
    for (std::size_t n = 0; n < 4; ++n)
      out += n <= count ? digits[group >> (18 - 6 * n) & 63] : '=';
  }
  return out;
}

std::string png_uri(std::string_view png) {
  return "data:image/png;base64," + base64(png);
}

void Html::open(const char* tag, Attributes attributes) {
  page_.append("<").append(tag);
  for (const auto& [name, value] : attributes)
    page_.append(" ").append(name).append("=\"").append(escaped(value)).append("\"");
  page_ += ">";
}

void Html::close(const char* tag) {
  page_.append("</").append(tag).append(">\n");
}

Html::Scope Html::in(const char* tag, Attributes attributes) {
  open(tag, attributes);
  return {*this, tag};
}

void Html::put(const char* tag, std::string_view content, Attributes attributes) {
  open(tag, attributes);
  text(content);
  close(tag);
}

void Html::single(const char* tag, Attributes attributes) {
  open(tag, attributes);
}

} // namespace mereo
