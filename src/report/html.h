// Pages of HTML, written front to back. What is text or an attribute is escaped; nothing else is
// taken from outside.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace mereo {

/// For text and for attributes in double quotes. Control characters but tab and newline become the
/// replacement character; bytes that are no UTF-8 stay for the browser to replace.
std::string escaped(std::string_view text);

/// RFC 4648, section 4.
std::string base64(std::string_view bytes);

/// The bytes of a PNG file as the address of a picture: "data:image/png;base64,...".
std::string png_uri(std::string_view png);

class Html {
public:
  using Attributes = std::initializer_list<std::pair<const char*, std::string>>;

  /// The element it opened ends with it.
  class Scope {
  public:
    Scope(Html& html, const char* tag) : html_(html), tag_(tag) {}
    ~Scope() { html_.close(tag_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

  private:
    Html& html_;
    const char* tag_;
  };

  [[nodiscard]] Scope in(const char* tag, Attributes attributes = {});
  /// An element that holds a text and nothing else.
  void put(const char* tag, std::string_view text, Attributes attributes = {});
  /// An element that has no end, as img.
  void single(const char* tag, Attributes attributes = {});
  void text(std::string_view text) { page_ += escaped(text); }
  /// As it is: a style or a script.
  void raw(std::string_view markup) { page_ += markup; }

  const std::string& page() const { return page_; }

private:
  void open(const char* tag, Attributes attributes);
  void close(const char* tag);

  std::string page_;
};

} // namespace mereo
