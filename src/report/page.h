// The frame of a page.
#pragma once

#include <string>
#include <string_view>

namespace mereo {

/// A whole page that opens from disk and reads well on a phone: head, a style for all reports, the
/// title as heading, then body, which is HTML already (see Html). more_style is CSS after that
/// style.
std::string html_page(std::string_view title, std::string_view body,
                      std::string_view more_style = {});

} // namespace mereo
