// One thread's share of a matrix product.
#pragma once

#include "core/range.h"
#include "kernels/gemm.h"
#include "kernels/read_ahead.h"

namespace mereo {

/// What all pieces of a product share.
struct GemmPlan {
  const Gemm& product;
  const GemmBlocks& blocks;
  const GemmKernels& kernels;
  RowRuns left, right; // as stored: (M, K) or (K, M); (K, N) or (N, K)
  const real* zeros;   // a run of the left's, for windows in the padding

  /// Elements of memory that a piece needs for packing.
  std::int64_t left_size() const;
  std::int64_t right_size() const;
};

/// Rows and columns of the result, and the part of the inner dimension that they are summed over.
class GemmPiece {
public:
  /// Row m of op(a) belongs to row m of c, wherever the product would have it.
  GemmPiece(const GemmPlan& plan, real* c, std::int64_t ldc, Range rows, Range columns, Range inner,
            real* left, real* right);

  /// c (+)= scale * the sum, with bias and activation at the end.
  void compute(bool accumulate);

private:
  Range left_rows(std::int64_t begin) const;
  void pack(const RowRuns& matrix, const real* source, std::int64_t first, std::int64_t count,
            Range range, std::int64_t width, real* packed, std::int64_t panel);
  void pack_left(Range rows, Range depth);
  void pack_right(Range depth);
  void announce(const RowRuns& matrix, const real* source, Range rows, Range columns,
                std::int64_t tiles);
  void announce_next(Range rows, Range depth);
  void announce_right(Range depth, Range rows);
  std::int64_t tiles(Range rows) const;
  void multiply(Range rows, Range depth, bool accumulate);

  const GemmPlan& plan_;
  const Gemm& product_;
  const GemmKernels& kernels_;
  real* c_;
  const std::int64_t ldc_;
  const Range rows_, columns_, inner_;
  real *left_, *right_;
  const std::int64_t left_tiles_; // tile rows packed at once
  const bool in_place_;           // op(b) is read where it lies
  std::int64_t left_panel_ = 0;
  const real* where_[gemm_depth]; // rows of what is being packed
  ReadAhead ahead_;
};

} // namespace mereo
