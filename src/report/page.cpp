#include "report/page.h"

#include "report/html.h"

namespace mereo {

namespace {

constexpr std::string_view style = R"(
:root { color-scheme: light dark; --page: #fff; --ink: #1a1a1a; --soft: #555; --line: #ddd; }
@media (prefers-color-scheme: dark) {
  :root { --page: #161513; --ink: #ece9e2; --soft: #a29d93; --line: #38352f; }
}
body { margin: 0 auto; padding: 1rem; max-width: 72rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; }
img, svg { max-width: 100%; height: auto; }
figure { margin: 0; }
figcaption, .note { color: var(--soft); font-size: 0.9rem; }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid var(--line); text-align: right; }
td { white-space: nowrap; }
th { vertical-align: bottom; overflow-wrap: normal; }
th:first-child, td:first-child { text-align: left; }
caption { text-align: left; }
/* What charts draw in grey (chart_painter.cpp), and of their series what is too dark at night. */
svg [fill="#1a1a1a"], svg [fill="#000000"] { fill: var(--ink); }
svg [stroke="#1a1a1a"], svg [stroke="#000000"] { stroke: var(--ink); }
svg [fill="#555555"] { fill: var(--soft); }
svg [stroke="#555555"] { stroke: var(--soft); }
svg [stroke="#dddddd"] { stroke: var(--line); }
@media (prefers-color-scheme: dark) {
  svg [fill="#0072b2"] { fill: #56b4e9; }
  svg [stroke="#0072b2"] { stroke: #56b4e9; }
  svg [fill="#3a95c9"] { fill: #c6e6f8; }
  svg [stroke="#3a95c9"] { stroke: #c6e6f8; }
}
)";

} // namespace

std::string html_page(std::string_view title, std::string_view body, std::string_view more_style) {
  const std::string name = escaped(title);
  std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  page.append("<title>").append(name).append("</title>\n<style>").append(style);
  page.append(more_style).append("</style>\n</head>\n<body>\n<h1>").append(name);
  page.append("</h1>\n").append(body).append("</body>\n</html>\n");
  return page;
}

} // namespace mereo
