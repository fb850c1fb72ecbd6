// Times the parts of training steps from within, as the tape tells of them.
#pragma once

#include <mereo/nn.h>

#include <chrono>
#include <string_view>
#include <vector>

namespace bench {

/// What has run: an operation of a layer, and which pass of it. That is "forward"; "rule", before a
/// rule forms its first gradient; or the gradient it forms: "input", or of a parameter what follows
/// the last dot of its name.
struct Event {
  std::string_view layer, operation, pass;
};

/// Events that count as one. The layer is a prefix; what is empty fits everything, but an event
/// goes to a part that names its pass rather than to one that does not.
struct Part {
  const char *name, *layer, *operation, *pass;
};

class StepTimer : public mereo::TapeObserver {
public:
  /// The last part also gets what fits no other.
  StepTimer(const mereo::Parameters& parameters, const std::vector<Part>& parts)
      : parameters_(parameters), parts_(parts), times_(parts.size()), now_(parts.size()) {}

  void begin();
  /// What passed since the last lap, or begin(), was this.
  void lap(const Event& event);
  void end();
  /// All steps so far.
  void forget();

  /// Milliseconds of all steps, and of a part in each of them.
  const std::vector<double>& steps() const { return steps_; }
  const std::vector<double>& times(std::size_t part) const { return times_[part]; }

  void recorded(const mereo::Tape::Node& node) override;
  void rule_started(const mereo::Tape::Node& node) override;
  void gradient_wanted(const mereo::Variable& input) override;
  void rule_ended(const mereo::Tape::Node& node) override;

private:
  using Clock = std::chrono::steady_clock;
  std::size_t part_of(const Event& event) const;
  std::string_view pass_of(const mereo::Variable& input) const;

  const mereo::Parameters& parameters_;
  const std::vector<Part> parts_;
  std::vector<std::vector<double>> times_;
  std::vector<double> steps_, now_;
  Clock::time_point start_, last_;
  Event running_; // the rule that is
};

} // namespace bench
