// The frame of every page, and what is escaped in it.
#include "report/html.h"

#include <doctest/doctest.h>

#include <string>

using namespace mereo;

TEST_CASE("nothing in a name is mark-up") {
  CHECK(escape_html("<script>alert(\"1\")</script> & 'x'") ==
        "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39;");
  CHECK(escape_html("gr\xc3\xbc\xc3\x9f\tdich\n") == "gr\xc3\xbc\xc3\x9f\tdich\n");
  CHECK(escape_html(std::string("\0\x1b\x7f", 3)) == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  const std::string page = html_page("</title><b>", "<p>body</p>", "p { color: red; }");
  CHECK(page.find("</title><b>") == page.npos);
  CHECK(page.find("<title>&lt;/title&gt;&lt;b&gt;</title>") != page.npos);
  CHECK(page.find("<h1>&lt;/title&gt;&lt;b&gt;</h1>\n<p>body</p>") != page.npos);
  CHECK(page.find("p { color: red; }</style>") != page.npos);
  CHECK(page.find("width=device-width") != page.npos);
}

TEST_CASE("pictures in pages: base64 (RFC 4648, section 10)") {
  const std::string prefix = "data:image/png;base64,";
  CHECK(png_uri("") == prefix);
  CHECK(png_uri("f") == prefix + "Zg==");
  CHECK(png_uri("fo") == prefix + "Zm8=");
  CHECK(png_uri("foo") == prefix + "Zm9v");
  CHECK(png_uri("foob") == prefix + "Zm9vYg==");
  CHECK(png_uri("foobar") == prefix + "Zm9vYmFy");
  CHECK(png_uri("\xff\xfe\xfb") == prefix + "//77");
}
