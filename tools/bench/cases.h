// What is timed, by name: family/what/batch:N, to which the instruction set and the threads are
// added.
#pragma once

#include "work.h"

#include <mereo/tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace bench {

struct Case {
  std::string name;
  Work work;
  /// Allocates, on the instruction set and threads in use; the result is what is timed, and owns
  /// its memory.
  std::function<std::function<void()>()> prepare;
};

std::vector<Case> kernel_cases();
std::vector<Case> elementwise_cases();
std::vector<Case> model_cases();
std::vector<Case> matrix_cases();
std::vector<Case> cnn_cases();

/// Hands all of them to google-benchmark, for every instruction set but the reference.
void register_cases();

/// "/batch:N".
std::string batch_name(std::int64_t batch);
/// Numbers around zero.
mereo::Tensor numbers(const mereo::Shape& shape);

} // namespace bench
