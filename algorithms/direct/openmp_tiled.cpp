// Tiles: the output is cut into tiles that fit the first-level cache, and OpenMP deals the tiles of
// all planes out to threads. Each sums its tile in a buffer of its own and then copies it to y.
// 2·H·W·h·w flops; a workspace of 16 KiB a thread; an image row is read once for each tile and
// kernel row that it meets.

#include "core/buffer.h"
#include "core/parallel.h"
#include "core/plane.h"
#include "core/registry.h"
#include "core/steps.h"
#include "direct/clamped_sums.h"

namespace fullconv {
namespace {

// 8 rows of 2 KiB, a third of a first-level cache.
constexpr index_t kTileRows = 8;
constexpr index_t kTileRowBytes = 2048;

std::vector<Boundary> boundaries_of_tiles(const Problem&, const PlanOptions&,
                                          std::size_t scalar_size) {
  return {{Boundary::output_rows, kTileRows},
          {Boundary::output_columns, kTileRowBytes / static_cast<index_t>(scalar_size)}};
}

template <class T>
class OpenMpTiledPlan final : public Plan<T> {
 public:
  OpenMpTiledPlan(const Problem& problem, const PlanOptions& options)
      : Plan<T>(problem),
        tiles_down_(ceil_divide(problem.output_rows(), kTileRows)),
        tiles_across_(ceil_divide(problem.output_columns(), kTileColumns)),
        threads_(
            useful_threads(problem, options, problem.N * problem.C * tiles_down_ * tiles_across_)),
        sums_(threads_ * kTileRows * kTileColumns) {}

  std::size_t workspace_bytes() const override { return sums_.bytes(); }
  int threads() const override { return threads_; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    const Problem& problem = this->problem();
    for_each_block(threads_, std::array{problem.N, problem.C, tiles_down_, tiles_across_},
                   [&](index_t n, index_t c, index_t down, index_t across, int thread) {
                     compute_tile(n, c, down, across, thread, x, k, y);
                   });
  }

 private:
  static constexpr index_t kTileColumns = kTileRowBytes / static_cast<index_t>(sizeof(T));

  [[gnu::noinline]] void compute_tile(index_t n, index_t c, index_t down, index_t across,
                                      int thread, const TensorView<const T>& x,
                                      const TensorView<const T>& k, const TensorView<T>& y) const {
    const Problem& problem = this->problem();
    const Window window = problem.window();
    const Range rows = intersection(window.rows, {window.rows.begin + down * kTileRows,
                                                  window.rows.begin + (down + 1) * kTileRows});
    const Range columns =
        intersection(window.columns, {window.columns.begin + across * kTileColumns,
                                      window.columns.begin + (across + 1) * kTileColumns});

    // Summing in y itself, neighbours would fight over the cache line in which their tiles meet:
    // at 1024x1024_k15x15 two threads were then no faster than one (0.9×), and are 1.9× so.
    const Plane<T> sums{sums_.data() + thread * kTileRows * kTileColumns, rows.size(),
                        columns.size(), kTileColumns};
    StepTimer timing(Step::direct);
    fill_zero(sums);
    const Window wanted{rows, columns};
    for (index_t o = 0; o < problem.K; ++o) {
      add_clamped(plane(x, n, o), plane(k, o, c), in_full_output(sums, wanted), wanted);
    }
    timing.enter(Step::copies);
    const Plane<T> target = in_full_output(plane(y, n, c), window);
    for (index_t i = 0; i < sums.rows; ++i) {
      std::copy_n(sums.row(i), sums.columns, target.row(rows.begin + i) + columns.begin);
    }
  }

  index_t tiles_down_, tiles_across_;
  int threads_;
  Buffer<T> sums_;
};

template <class T>
Planned<T> plan_openmp_tiled(const Problem& problem, const PlanOptions& options) {
  return std::make_unique<OpenMpTiledPlan<T>>(problem, options);
}

}  // namespace

constinit const Algorithm builtin::openmp_tiled{
    .name = "openmp_tiled",
    .summary = "output tiles of first-level-cache size, dealt out to threads by OpenMP",
    .error_model = ErrorModel::componentwise,
    .non_finite = NonFinite::as_defined,
    .threaded = true,
    .same_bits = true,
    .crops = true,
    .boundaries = boundaries_of_tiles,
    .plan_f32 = plan_openmp_tiled<float>,
    .plan_f64 = plan_openmp_tiled<double>,
};

}  // namespace fullconv
