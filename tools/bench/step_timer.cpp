#include "step_timer.h"

namespace bench {

using namespace mereo;

namespace {

double milliseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

bool fits(std::string_view pattern, std::string_view text) {
  return pattern.empty() || pattern == text;
}

} // namespace

void StepTimer::begin() {
  now_.assign(parts_.size(), 0);
  start_ = last_ = Clock::now();
}

void StepTimer::lap(const Event& event) {
  const Clock::time_point now = Clock::now();
  now_[part_of(event)] += milliseconds(now - last_);
  last_ = now;
}

void StepTimer::end() {
  steps_.push_back(milliseconds(last_ - start_));
  for (std::size_t i = 0; i < parts_.size(); ++i)
    times_[i].push_back(now_[i]);
}

void StepTimer::forget() {
  steps_.clear();
  for (std::vector<double>& times : times_)
    times.clear();
}

void StepTimer::recorded(const Tape::Node& node) {
  lap({node.layer, node.op->name, "forward"});
}

void StepTimer::rule_started(const Tape::Node& node) {
  lap({"", "rest", ""});
  running_ = {node.layer, node.op->name, "rule"};
}

void StepTimer::gradient_wanted(const Variable& input) {
  lap(running_);
  running_.pass = pass_of(input);
}

void StepTimer::rule_ended(const Tape::Node&) {
  lap(running_);
}

std::size_t StepTimer::part_of(const Event& event) const {
  std::size_t best = parts_.size() - 1;
  for (std::size_t i = parts_.size(); i-- > 0;) {
    const Part& part = parts_[i];
    if (!event.layer.starts_with(part.layer) || !fits(part.operation, event.operation))
      continue;
    if (part.pass == event.pass)
      return i;
    if (*part.pass == 0)
      best = i;
  }
  return best;
}

std::string_view StepTimer::pass_of(const Variable& input) const {
  for (int i = 0; i < parameters_.count(); ++i)
    if (parameters_.value(i).data() == input.data()) {
      const std::string_view name = parameters_.name(i);
      return name.substr(name.rfind('.') + 1);
    }
  return "input";
}

} // namespace bench
