// Floor 5: pages and figures: HTML that needs nothing but itself, charts as SVG and as pixels.
#pragma once

#include <string>
#include <string_view>

namespace mereo {

/// Text as it may stand between tags and in quoted attributes, of HTML and of SVG, whatever it
/// holds: & < > " ' as entities, control characters but tab and newline as U+FFFD.
std::string escape_html(std::string_view text);

/// A whole page that opens from disk and reads well on a phone: head, a style for all reports, the
/// title as heading, then body, which is HTML already. more_style is CSS after that style.
std::string html_page(std::string_view title, std::string_view body,
                      std::string_view more_style = {});

/// "data:image/png;base64,..." for src attributes.
std::string png_uri(std::string_view png);

} // namespace mereo
