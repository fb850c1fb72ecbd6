#include "compare.h"

#include "statistics.h"

#include <mereo/io.h>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>

namespace bench {

using namespace mereo;

namespace {

/// A benchmark and its times in milliseconds, one for each repetition.
struct Timed {
  std::string name;
  std::vector<double> times;
};

const Timed* find(const std::vector<Timed>& all, const std::string& name) {
  for (const Timed& timed : all)
    if (timed.name == name)
      return &timed;
  return nullptr;
}

double milliseconds(const nlohmann::json& entry) {
  const std::string unit = entry.at("time_unit");
  const double factor = unit == "ns" ? 1e-6 : unit == "us" ? 1e-3 : unit == "ms" ? 1 : 1e3;
  return factor * entry.at("real_time").get<double>();
}

/// A repetition's time; or the median of all, where a file has nothing else.
bool counts(const nlohmann::json& entry, bool aggregates_only) {
  if (entry.value("error_occurred", false))
    return false;
  if (entry.value("run_type", "iteration") != "aggregate")
    return true;
  return aggregates_only && entry.at("aggregate_name") == "median";
}

std::vector<Timed> timed(const nlohmann::json& entries) {
  bool aggregates_only = true;
  for (const auto& entry : entries)
    aggregates_only = aggregates_only && entry.value("run_type", "iteration") == "aggregate";
  std::vector<Timed> all;
  for (const auto& entry : entries) {
    if (!counts(entry, aggregates_only))
      continue;
    std::string name = entry.value("run_name", entry.at("name").get<std::string>());
    if (name.ends_with("/real_time")) // what google-benchmark adds
      name.resize(name.size() - std::string("/real_time").size());
    const auto known = std::find_if(all.begin(), all.end(),
                                    [&](const Timed& timed) { return timed.name == name; });
    if (known == all.end())
      all.push_back({name, {milliseconds(entry)}});
    else
      known->times.push_back(milliseconds(entry));
  }
  return all;
}

std::vector<Timed> read(const std::string& path) {
  const nlohmann::json file = nlohmann::json::parse(read_file(path), nullptr, false);
  if (file.is_discarded())
    throw Error(path, "is not valid JSON");
  const auto no_benchmarks = [&](const std::string& why) {
    return Error(path, "holds no benchmarks", why, "write it with --benchmark_out=FILE");
  };
  if (!file.is_object() || !file.contains("benchmarks") || !file["benchmarks"].is_array())
    throw no_benchmarks("");
  try {
    std::vector<Timed> all = timed(file["benchmarks"]);
    if (all.empty())
      throw no_benchmarks("");
    return all;
  } catch (const nlohmann::json::exception& error) {
    throw no_benchmarks(error.what());
  }
}

/// Every time of one over every time of the other.
std::vector<double> ratios(const std::vector<double>& over, const std::vector<double>& under) {
  std::vector<double> all;
  for (double x : over)
    for (double y : under)
      all.push_back(x / y);
  return all;
}

std::string spread(const Timed& before, const Timed& after) {
  if (before.times.size() < 2 && after.times.size() < 2)
    return "";
  const std::vector<double> all = ratios(after.times, before.times);
  char text[64];
  std::snprintf(text, sizeof text, "%.3f to %.3f", quantile(all, 0.25), quantile(all, 0.75));
  return text;
}

} // namespace

void compare(const std::string& before, const std::string& after) {
  const std::vector<Timed> first = read(before), second = read(after);
  std::size_t width = 9, common = 0;
  for (const Timed& timed : first)
    if (find(second, timed.name))
      width = std::max(width, timed.name.size());
  double logarithms = 0;
  for (const Timed& one : first) {
    const Timed* other = find(second, one.name);
    if (!other)
      continue;
    if (common++ == 0) {
      std::printf("a: %s\nb: %s\n", before.c_str(), after.c_str());
      std::printf("median times; spread: the middle half of the ratios of all repetitions\n\n");
      std::printf("| %-*s | %10s | %10s | %7s | %-16s |\n", int(width), "benchmark", "a, ms",
                  "b, ms", "b / a", "spread");
      std::printf("| %s | ---------: | ---------: | ------: | ---------------- |\n",
                  std::string(width, '-').c_str());
    }
    const double a = median(one.times), b = median(other->times);
    logarithms += std::log(b / a);
    std::printf("| %-*s | %10.4g | %10.4g | %7.3f | %-16s |\n", int(width), one.name.c_str(), a, b,
                b / a, spread(one, *other).c_str());
  }
  if (common == 0)
    throw Error(after, "has no benchmark in common with " + before);
  std::printf("\ngeometric mean of b / a over %zu: %.3f\n", common,
              std::exp(logarithms / double(common)));
  if (common < first.size() || common < second.size())
    std::printf("only in a: %zu, only in b: %zu\n", first.size() - common, second.size() - common);
}

} // namespace bench
