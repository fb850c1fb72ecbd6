// Shows how training goes: one line written over and over on a terminal, a line now and then in a
// pipe.
#pragma once

#include <mereo/train.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vector>

namespace cli {

// --- Ctrl-C and SIGTERM

inline volatile std::sig_atomic_t stop_signal = 0;

/// The first signal asks for an end after saving; the second one does not ask.
inline void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = [](int number) {
    if (stop_signal)
      _exit(128 + number);
    stop_signal = number;
  };
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// --- the progress line

/// "3:07" or "2:03:07".
inline std::string duration(double seconds) {
  if (!(seconds >= 0 && seconds < 1e8))
    return "?";
  const long s = std::lround(seconds);
  char text[48];
  if (s < 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  return text;
}

/// A line that is written over and over, a few times a second on a terminal, every ten seconds
/// elsewhere.
class ProgressLine {
public:
  explicit ProgressLine(bool quiet) : quiet_(quiet), terminal_(isatty(STDOUT_FILENO) == 1) {}

  bool quiet() const { return quiet_; }

  /// Is it time to show something again?
  bool due() {
    if (quiet_)
      return false;
    const auto now = Clock::now();
    if (now - shown_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::seconds(10)))
      return false;
    shown_ = now;
    return true;
  }

  void show(const std::string& line) {
    if (terminal_)
      std::printf("\r\033[K%.*s", columns(), line.c_str());
    else
      std::puts(line.c_str());
    std::fflush(stdout);
  }

  /// What may stand in a line; where there is no room for all, those of the highest rank go first.
  struct Part {
    std::string text;
    int rank;
  };

  /// The first part, a bar of the share that is done, the others. The bar takes what they leave,
  /// and goes after those of a rank above bar_rank.
  void show(double done, std::vector<Part> parts) {
    int room = columns();
    for (const Part& part : parts)
      room -= int(part.text.size());
    const auto last = [](const Part& a, const Part& b) { return a.rank < b.rank; };
    while (parts.size() > 1) {
      const auto part = std::max_element(parts.begin() + 1, parts.end(), last);
      if (room >= (part->rank > bar_rank ? least_bar + 3 : 0))
        break;
      room += int(part->text.size());
      parts.erase(part);
    }
    std::string line = parts[0].text + bar(std::min(room - 3, 20), done);
    for (std::size_t i = 1; i < parts.size(); ++i)
      line += parts[i].text;
    show(line);
  }

  /// Takes the line away.
  void clear() {
    if (terminal_ && !quiet_)
      std::fputs("\r\033[K", stdout);
  }

private:
  using Clock = std::chrono::steady_clock;
  /// Characters within a bar that tell something.
  static constexpr int least_bar = 4, bar_rank = 4;

  /// Characters that a line may have.
  int columns() const {
    if (!terminal_)
      return 1000;
    winsize size{};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
  }

  /// "[===>    ] ", or nothing where that would be too short.
  static std::string bar(int width, double done) {
    if (width < least_bar)
      return "";
    const auto full = std::size_t(width * done), all = std::size_t(width);
    return "[" + (std::string(full, '=') + ">" + std::string(all, ' ')).substr(0, all) + "] ";
  }

  bool quiet_, terminal_;
  Clock::time_point shown_ = Clock::now();
};

/// How training goes.
class Progress : public mereo::TrainListener {
public:
  explicit Progress(bool quiet) : line_(quiet) {}

  void started(const mereo::TrainStart& start) override {
    if (line_.quiet())
      return;
    std::printf("instruction set %s, threads %d\n", start.isa.c_str(), start.threads);
    std::int64_t elements = 0;
    for (const mereo::LayerSize& layer : start.layers) {
      std::printf("  %-20s %12lld parameters\n", layer.name.c_str(), (long long)(layer.elements));
      elements += layer.elements;
    }
    std::printf("  %-20s %12lld\n", "together", (long long)(elements));
    const mereo::MemoryNeed& need = start.memory;
    const auto mib = [](std::int64_t bytes) { return double(bytes) / (1 << 20); };
    std::printf("memory %.0f MiB: parameters %.0f, gradients %.0f, optimiser %.0f, "
                "activations %.0f, data %.0f\n",
                mib(need.total()), mib(need.parameters), mib(need.gradients), mib(need.optimizer),
                mib(need.activations), mib(need.data));
    std::printf("%lld pictures to train on, %lld for validation; %lld steps an epoch\n",
                (long long)(start.training), (long long)(start.validation),
                (long long)(start.batches));
    if (start.first_step > 0)
      std::printf("resumed after step %lld, in epoch %lld\n", (long long)(start.first_step),
                  (long long)(start.first_epoch + 1));
    std::fflush(stdout);
  }

  void stepped(const mereo::TrainProgress& p) override {
    if (!line_.due())
      return;
    std::vector<ProgressLine::Part> parts = {
        {text("epoch %lld/%lld ", (long long)(p.epoch + 1), (long long)(p.epochs)), 0},
        {text("%lld/%lld  ", (long long)(p.batch), (long long)(p.batches)), 5},
        {text("loss %.4f  ", p.mean_loss), 1}};
    if (!std::isnan(p.mean_error_percent))
      parts.push_back({text("error %.2f %%  ", p.mean_error_percent), 6});
    if (!std::isnan(p.validation_error_percent))
      parts.push_back({text("validation %.2f %%  ", p.validation_error_percent), 4});
    if (!std::isnan(p.images_per_second))
      parts.push_back({text("%.0f images/s  ", p.images_per_second), 3});
    parts.push_back({text("left %s", duration(p.seconds_left).c_str()), 2});
    line_.show(double(p.batch) / double(p.batches), parts);
  }

  void evaluated(std::int64_t done, std::int64_t count) override {
    if (!line_.due())
      return;
    line_.show(
        double(done) / double(count),
        {{"judging ", 0}, {text("%lld/%lld pictures", (long long)(done), (long long)(count)), 1}});
  }

  void epoch_finished(const mereo::EpochResult& e) override {
    line_.clear();
    if (line_.quiet())
      return;
    char judged[64] = "";
    if (!std::isnan(e.validation_error_percent))
      std::snprintf(judged, sizeof judged, "  validation error %.2f %%%s",
                    e.validation_error_percent, e.best ? " (best)" : "");
    char rate[32] = ""; // nothing to tell when the epoch was only judged here
    if (!std::isnan(e.images_per_second))
      std::snprintf(rate, sizeof rate, "  %.0f images/s", e.images_per_second);
    std::printf("epoch %lld/%lld  loss %.4f  training error %.2f %%%s%s  %s\n",
                (long long)(e.epoch), (long long)(e.epochs), e.loss, e.training_error_percent,
                judged, rate, duration(e.seconds).c_str());
    std::fflush(stdout);
  }

  bool stop() override { return stop_signal != 0; }

  /// Takes the progress line away.
  void clear() { line_.clear(); }

private:
  template <class... Values> static std::string text(const char* form, Values... values) {
    char buffer[96];
    std::snprintf(buffer, sizeof buffer, form, values...);
    return buffer;
  }

  ProgressLine line_;
};

} // namespace cli
