// Tiles: the output is cut into tiles that fit the first-level cache, and OpenMP deals the tiles of
// all planes out to threads. No two tiles share an output, so nothing is synchronised.
// 2·H·W·h·w flops; no workspace; an image row is read once for each tile and kernel row it meets.

#include "core/parallel.h"
#include "core/plane.h"
#include "core/registry.h"

namespace fullconv {
namespace {

// 8 rows of 512 floats are 16 KiB, a third of a first-level cache. Measured at 1024x1024_k15x15.
constexpr index_t kTileRows = 8;
constexpr index_t kTileBytesPerRow = 2048;

/// Outputs [begin, end) of one axis.
struct Range {
  index_t begin;
  index_t end;
};

/// y += x ∗ k on the outputs rows × columns only.
template <class T>
void add_tile(const Plane<const T>& x, const Plane<const T>& k, const Plane<T>& y, Range rows,
              Range columns) {
  for (index_t i = rows.begin; i < rows.end; ++i) {
    const index_t first = std::max<index_t>(0, i - x.rows + 1);
    const index_t last = std::min(i, k.rows - 1);
    for (index_t p = first; p <= last; ++p) {
      for (index_t q = 0; q < k.columns; ++q) {
        const index_t begin = std::max(columns.begin, q);
        const index_t end = std::min(columns.end, q + x.columns);
        add_scaled_row(k(p, q), x.row(i - p) + begin - q, y.row(i) + begin, end - begin);
      }
    }
  }
}

template <class T>
class OpenMpTiledPlan final : public Plan<T> {
 public:
  OpenMpTiledPlan(const Problem& problem, const PlanOptions& options)
      : Plan<T>(problem),
        tiles_down_((problem.output_rows() + kTileRows - 1) / kTileRows),
        tiles_across_((problem.output_columns() + kTileColumns - 1) / kTileColumns),
        threads_(useful_threads(problem, options, tiles())) {}

  int threads() const override { return threads_; }

 protected:
  void run(const TensorView<const T>& x, const TensorView<const T>& k,
           const TensorView<T>& y) override {
    parallel_for(threads_, tiles(), [&](index_t tile, int) { compute_tile(tile, x, k, y); });
  }

 private:
  static constexpr index_t kTileColumns = kTileBytesPerRow / static_cast<index_t>(sizeof(T));

  index_t tiles() const {
    return this->problem().N * this->problem().C * tiles_down_ * tiles_across_;
  }

  void compute_tile(index_t tile, const TensorView<const T>& x, const TensorView<const T>& k,
                    const TensorView<T>& y) const {
    const Problem& problem = this->problem();
    const index_t across = tile % tiles_across_;
    const index_t down = tile / tiles_across_ % tiles_down_;
    const index_t c = tile / (tiles_across_ * tiles_down_) % problem.C;
    const index_t n = tile / (tiles_across_ * tiles_down_ * problem.C);
    const Range rows{down * kTileRows, std::min((down + 1) * kTileRows, problem.output_rows())};
    const Range columns{across * kTileColumns,
                        std::min((across + 1) * kTileColumns, problem.output_columns())};

    const Plane<T> target = plane(y, n, c);
    for (index_t i = rows.begin; i < rows.end; ++i) {
      std::fill(target.row(i) + columns.begin, target.row(i) + columns.end, T{0});
    }
    for (index_t o = 0; o < problem.K; ++o) {
      add_tile(plane(x, n, o), plane(k, o, c), target, rows, columns);
    }
  }

  index_t tiles_down_;
  index_t tiles_across_;
  int threads_;
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
    .plan_f32 = plan_openmp_tiled<float>,
    .plan_f64 = plan_openmp_tiled<double>,
};

}  // namespace fullconv
