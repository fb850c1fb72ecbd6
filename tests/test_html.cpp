// The frame of every page, and what is escaped in it.
#include "report/html.h"
#include "report/page.h"

#include <doctest/doctest.h>

#include <string>

using namespace mereo;

TEST_CASE("nothing in a name is mark-up") {
  CHECK(escaped("<script>alert(\"1\")</script> & 'x'") ==
        "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39;");
  CHECK(escaped("gr\xc3\xbc\xc3\x9f\tdich\n") == "gr\xc3\xbc\xc3\x9f\tdich\n");
  CHECK(escaped(std::string("\0\x1b\x7f", 3)) == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  const std::string page = html_page("</title><b>", "<p>body</p>", "p { color: red; }");
  CHECK(page.find("</title><b>") == page.npos);
  CHECK(page.find("<title>&lt;/title&gt;&lt;b&gt;</title>") != page.npos);
  CHECK(page.find("<h1>&lt;/title&gt;&lt;b&gt;</h1>\n<p>body</p>") != page.npos);
  CHECK(page.find("p { color: red; }</style>") != page.npos);
  CHECK(page.find("width=device-width") != page.npos);
}

TEST_CASE("base64 (RFC 4648, section 10)") {
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xff\xfe\xfb") == "//77");
}

TEST_CASE("elements end with their scope, attributes are escaped") {
  Html html;
  {
    const auto list = html.in("ul", {{"title", "a \"b\""}});
    html.put("li", "1 < 2");
    html.single("img", {{"alt", "<"}});
    html.raw("<br>");
  }
  CHECK(html.page() ==
        "<ul title=\"a &quot;b&quot;\"><li>1 &lt; 2</li>\n<img alt=\"&lt;\"><br></ul>\n");
}
