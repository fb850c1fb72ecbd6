// A run folder: whose it is, and what others left in it.
#include "train_fixture.h"

#include "train/run_folder.h"

#include <doctest/doctest.h>

#include <filesystem>

using namespace fixture;

namespace {

void start(const std::string& folder) {
  TrainOptions options = tiny_options(folder);
  options.epochs = 1;
  CapsNet model(tiny_config(), 7);
  Recorder recorder;
  train(model, bars(60), options, recorder);
}

} // namespace

TEST_CASE("a new run refuses a folder with a checkpoint of another, the last or the best") {
  const Scratch scratch;
  const std::string folder = scratch.path("run");
  start(folder);
  CHECK_THROWS_AS(start(folder), Error);
  std::filesystem::remove(folder + "/last.safetensors");
  CHECK_THROWS_AS(start(folder), Error);
  std::filesystem::remove(folder + "/best.safetensors");
  CHECK_NOTHROW(start(folder));
}

TEST_CASE("a new run begins its own history") {
  const Scratch scratch;
  const std::string folder = scratch.path("run");
  std::filesystem::create_directory(folder);
  append_json_line(folder + "/history.jsonl", {{"event", "of another run"}});
  start(folder);
  const std::vector<Fields> lines = read_json_lines(folder + "/history.jsonl");
  REQUIRE_FALSE(lines.empty());
  for (const Fields& line : lines)
    CHECK(std::get<std::string>(*find(line, "event")) != "of another run");
}

TEST_CASE("what a killed process left half written is removed, other files are not") {
  const Scratch scratch;
  const std::string folder = scratch.path("run");
  start(folder);
  const std::string left = folder + "/last.safetensors.tmp-123", mine = folder + "/notes.tmp-1";
  write_file_atomically(left, "half");
  write_file_atomically(mine, "keep");
  const RunFolder again = RunFolder::open(folder);
  CHECK_FALSE(std::filesystem::exists(left));
  CHECK(std::filesystem::exists(mine));
}

TEST_CASE("one process at a time trains in a folder") {
  const Scratch scratch;
  const std::string folder = scratch.path("run");
  start(folder);
  {
    const RunFolder first = RunFolder::open(folder);
    CHECK_THROWS_WITH_AS(RunFolder::open(folder),
                         doctest::Contains("another process is training in this folder"), Error);
  }
  CHECK_NOTHROW(RunFolder::open(folder));
}
