#include "fuzz/targets.h"

#include <doctest/doctest.h>

TEST_CASE("what the fuzzers start from, and once found, is read or refused") {
  struct Target {
    std::string name;
    bool (*run)(std::string_view bytes);
  };
  const Target targets[] = {{"idx", fuzz::idx},
                            {"norb", fuzz::norb},
                            {"affnist", fuzz::affnist},
                            {"checkpoint", fuzz::checkpoint},
                            {"json", fuzz::json},
                            {"image", fuzz::image}};
  for (const Target& target : targets) {
    int files = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator("tests/fuzz/seeds/" + target.name)) {
      const std::string file = entry.path().filename().string();
      INFO(target.name << "/" << file);
      bool understood = false;
      CHECK_NOTHROW(understood = target.run(mereo::got(entry.path().string())));
      // good-..., or what is wrong
      CHECK(understood == file.starts_with("good"));
      ++files;
    }
    CHECK(files > 0);
  }
}
