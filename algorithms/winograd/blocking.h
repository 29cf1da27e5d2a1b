#pragma once

#include "core/buffer.h"
#include "core/plane.h"
#include "winograd/transforms.h"

namespace fullconv::winograd {

/// How the work is cut.
struct Blocking {
  Tile tile;
  index_t tiles_across;
  index_t tile_rows;  // of all images
  // Rows of tiles, all channels of which are transformed at a time, of the image and back.
  index_t block_rows, blocks;
  index_t block_channels, channel_blocks;  // of y
  index_t depth, depth_blocks;             // channels of x whose kernels are transformed at a time
  /// Whether all kernels are transformed at once, and blocks of the image are shared out to
  /// threads; if not, blocks come one after the other, and threads share the channels of each.
  bool keeps_kernels;
  // Elements.
  index_t image_tile, image_point;     // from tile to tile and from point to point
  index_t sums_point;                  // of block_channels for each tile
  index_t kernel_point, kernel_block;  // of block_channels for each of the depth

  index_t points() const { return tile.points(); }
  index_t tiles() const { return block_rows * tiles_across; }
};

/// Elements for the transformed image, sums and kernels.
template <class T>
struct Room {
  index_t image_share, sums_share, kernel_share;
  index_t images, sums, kernels;

  Room(const Blocking& b, int threads)
      : image_share(share_of_thread(b.points() * b.image_point, sizeof(T))),
        sums_share(share_of_thread(b.points() * b.sums_point, sizeof(T))),
        kernel_share(b.keeps_kernels ? b.kernel_block : share_of_thread(b.kernel_block, sizeof(T))),
        images((b.keeps_kernels ? threads : 1) * image_share),
        sums(threads * sums_share),
        kernels((b.keeps_kernels ? b.channel_blocks : threads) * kernel_share) {}

  double bytes() const {
    return sizeof(T) *
           (static_cast<double>(images) + static_cast<double>(sums) + static_cast<double>(kernels));
  }
};

/// The tile that takes least time, and how the work is cut for it, for a kernel that
/// there are tiles for.
template <class T>
Blocking best_blocking(const Problem& problem, int threads);

}  // namespace fullconv::winograd
