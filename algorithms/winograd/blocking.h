#pragma once

#include "core/buffer.h"
#include "core/plane.h"
#include "winograd/residues.h"
#include "winograd/transforms.h"

namespace fullconv::winograd {

/// How the work is cut.
struct Blocking {
  Residues rows, columns;
  Tile tile;
  index_t tiles_across;
  index_t tile_rows;  // of all images
  // Rows of tiles, all channels of which are transformed at a time, of the image and back.
  index_t block_rows = 0, blocks = 0;
  index_t block_channels = 0, channel_blocks = 0;  // of y
  index_t depth = 0, depth_blocks = 0;  // channels of x whose kernels are transformed at a time
  /// Whether all kernels are transformed at once, and blocks of the image are shared out to
  /// threads; if not, blocks come one after the other, and threads share the channels of each.
  bool keeps_kernels = false;
  // Elements.
  index_t image_tile = 0, image_point = 0;  // from tile to tile and from point to point
  index_t sums_point = 0;                   // of block_channels for each tile
  index_t kernel_point = 0;                 // of block_channels for each of the depth

  /// Tiles alone.
  Blocking(const Problem& problem, const Tile& its_tile)
      : rows(Residues::of_rows(problem)),
        columns(Residues::of_columns(problem)),
        tile(its_tile),
        tiles_across(ceil_divide(columns.numbers.size(), tile.columns.outputs)),
        tile_rows(problem.N * ceil_divide(rows.numbers.size(), tile.rows.outputs)) {}

  index_t points() const { return tile.points(); }
  index_t residues() const { return rows.count * columns.count; }
  /// Points of all residues at which kernels are not zero.
  index_t products() const {
    return (rows.count * tile.rows.points() - rows.zeros) *
           (columns.count * tile.columns.points() - columns.zeros);
  }
  index_t sums_residue() const { return points() * sums_point; }
  index_t kernel_residue() const { return points() * kernel_point; }
  index_t kernel_block() const { return residues() * kernel_residue(); }
  /// The outputs of a row of tiles before those of the residues of columns are interleaved, of a
  /// vector of channels.
  index_t staged_channel() const { return tile.rows.outputs * columns.numbers.size(); }
  index_t staged(index_t lanes) const {
    return residues() == 1 ? 0 : columns.count * lanes * staged_channel();
  }
  index_t tiles() const { return block_rows * tiles_across; }
};

/// Elements for the transformed image, sums and kernels, and for outputs that are staged.
template <class T>
struct Room {
  index_t image_share, sums_share, kernel_share, staged_share;
  index_t images, sums, kernels, staged;

  Room(const Blocking& b, int threads)
      : image_share(share_of_thread(b.points() * b.image_point, sizeof(T))),
        sums_share(share_of_thread(b.residues() * b.sums_residue(), sizeof(T))),
        kernel_share(b.keeps_kernels ? b.kernel_block()
                                     : share_of_thread(b.kernel_block(), sizeof(T))),
        staged_share(share_of_thread(b.staged(transforms<T>().lanes), sizeof(T))),
        images((b.keeps_kernels ? threads : 1) * image_share),
        sums(threads * sums_share),
        kernels((b.keeps_kernels ? b.channel_blocks : threads) * kernel_share),
        staged(threads * staged_share) {}

  double bytes() const {
    return sizeof(T) * (static_cast<double>(images) + static_cast<double>(sums) +
                        static_cast<double>(kernels) + static_cast<double>(staged));
  }
};

/// The tile that takes least time, and how the work is cut for it, for a kernel that
/// there are tiles for.
template <class T>
Blocking best_blocking(const Problem& problem, int threads);

}  // namespace fullconv::winograd
