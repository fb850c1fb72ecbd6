// What the programs share: reading a command line with clear complaints, and one line for every
// error.
#pragma once

#include "train/fields.h"

#include <mereo/io.h>
#include <mereo/isa.h>
#include <mereo/train.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

namespace cli {

using mereo::Error;
using mereo::Fields;

inline constexpr int failure = 1, usage_failure = 2;

/// Wrong use of a program: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Insertions, deletions, replacements and swaps of neighbours that turn a into b.
inline std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min(
          {d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + std::size_t(a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}

/// " (did you mean X?)" with the most similar of the candidates, or "" when none is similar.
inline std::string did_you_mean(const std::string& word,
                                const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t distance = 2 + word.size() / 4;
  for (const std::string& candidate : candidates) {
    const bool longer = word.size() > 3 && candidate.starts_with(word);
    const std::size_t d = longer ? 0 : edit_distance(word, candidate);
    if (d < distance) {
      distance = d;
      best = candidate;
    }
  }
  return best.empty() ? "" : " (did you mean " + best + "?)";
}

/// Of a program and of the command it was given, if it has commands.
inline std::vector<std::string> flags(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      names.push_back("--" + name);
  for (const CLI::App* command : app.get_subcommands())
    for (const std::string& name : flags(*command))
      names.push_back(name);
  return names;
}

inline std::vector<std::string> commands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

// --- what a value may be; CLI11 puts the flag before the complaint

inline CLI::Validator whole(long long lowest, long long highest = LLONG_MAX) {
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        char* end = nullptr;
        errno = 0;
        const long long value = std::strtoll(text.c_str(), &end, 10);
        if (!text.empty() && *end == 0 && errno == 0 && value >= lowest && value <= highest)
          return {};
        return "must be a whole number from " + std::to_string(lowest) +
               (highest < LLONG_MAX ? " to " + std::to_string(highest) : "") + ", not \"" + text +
               "\"";
      },
      "");
}

/// A finite number in [lowest, highest], or above lowest when open.
inline CLI::Validator number(double lowest, bool open, double highest = INFINITY) {
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        if (!text.empty() && *end == 0 && std::isfinite(value) && value <= highest &&
            (open ? value > lowest : value >= lowest))
          return {};
        const auto shown = [](double x) {
          char buffer[32];
          std::snprintf(buffer, sizeof buffer, "%g", x);
          return std::string(buffer);
        };
        return "must be a number " + std::string(open ? "above " : "from ") + shown(lowest) +
               (std::isfinite(highest) ? " to " + shown(highest) : "") + ", not \"" + text + "\"";
      },
      "");
}

inline CLI::Validator one_of(std::vector<std::string> words) {
  std::string list;
  for (const std::string& word : words)
    list += (list.empty() ? "" : ", ") + word;
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        if (std::find(words.begin(), words.end(), text) != words.end())
          return {};
        return "must be one of " + list + ", not \"" + text + "\"" + did_you_mean(text, words);
      },
      "{" + list + "}");
}

/// "mnist, ... or folder:PATH"
inline std::string data_names() {
  std::string list;
  for (const std::string& name : mereo::dataset_names())
    list += name + ", ";
  return list + "or folder:PATH";
}

/// A data set by name, or folder:PATH.
inline CLI::Validator data_name() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        const std::vector<std::string> names = mereo::dataset_names();
        if (text.starts_with("folder:") ||
            std::find(names.begin(), names.end(), text) != names.end())
          return {};
        return "must be " + data_names() + ", not \"" + text + "\"" + did_you_mean(text, names);
      },
      "");
}

// --- parsing

/// Exit code when the program has nothing more to do, as after --help.
inline std::optional<int> parse(CLI::App& app, int argc, char** argv) {
  app.set_version_flag("--version", std::string(mereo::version));
  app.get_formatter()->column_width(34);
  try {
    app.parse(argc, argv);
    mereo::isa(); // complains of a wrong MEREO_ISA before anything is read or written
    return {};
  } catch (const CLI::Success& answer) {
    return app.exit(answer);
  } catch (const CLI::ExtrasError&) {
    std::string word = app.remaining(true).front();
    if (word.size() > 1 && word[0] == '-')
      throw UsageError("unknown flag " + word +
                       did_you_mean(word.substr(0, word.find('=')), flags(app)));
    throw UsageError("unexpected argument \"" + word + "\"" + did_you_mean(word, commands(app)));
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
}

/// Gives every option that was not on the command line the value of the field of its name, "-"
/// being "_" there. Fields named in `others` are not options.
inline void apply(CLI::App& app, const Fields& fields, const std::string& source,
                  const std::vector<std::string>& others) {
  for (const auto& [name, value] : fields) {
    if (name.starts_with("model.") || std::find(others.begin(), others.end(), name) != others.end())
      continue;
    std::string flag = "--" + name;
    std::replace(flag.begin(), flag.end(), '_', '-');
    CLI::Option* option = app.get_option_no_throw(flag);
    if (!option)
      throw Error(source, "there is no option of this name", name + did_you_mean(flag, flags(app)));
    if (option->count() > 0)
      continue;
    const auto* text = std::get_if<std::string>(&value);
    try {
      option->add_result(text ? *text : mereo::value_text(value));
      option->run_callback();
    } catch (const CLI::ParseError& error) {
      throw Error(source, error.what());
    }
  }
}

/// Runs the program's body; every error becomes one line and an exit code.
template <class Body> int guarded(const char* argv0, const Body& body) {
  const std::string program = std::filesystem::path(argv0).filename().string();
  try {
    const int status = body();
    // What a full disk has not taken.
    if (std::fflush(stdout) != 0 || std::ferror(stdout))
      throw Error("standard output", "cannot write", std::strerror(errno));
    return status;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "%s: %s; see %s --help\n", program.c_str(), error.what(), program.c_str());
    return usage_failure;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: out of memory\n", program.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), error.what());
  }
  return failure;
}

inline void add_threads(CLI::App& app, int& count) {
  count = mereo::threads();
  app.add_option("--threads", count,
                 "Threads; results do not depend on it [OMP_NUM_THREADS, or one per processor]")
      ->check(whole(1));
}

/// A checkpoint itself, or the best (else the last) one of a run folder.
inline std::string checkpoint_path(const std::string& argument) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::is_directory(argument, ignored))
    return argument;
  for (const char* name : {"/best.safetensors", "/last.safetensors"})
    if (fs::exists(argument + name, ignored))
      return argument + name;
  throw Error(argument, "there is no checkpoint in this folder", "",
              "a run folder holds best.safetensors or last.safetensors");
}

} // namespace cli
