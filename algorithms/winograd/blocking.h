#pragma once

#include <algorithm>
#include <array>

#include "core/buffer.h"
#include "core/plane.h"
#include "winograd/residues.h"
#include "winograd/tiling.h"
#include "winograd/transforms.h"

namespace fullconv::winograd {

/// Tiles beside each other in a row, which are alike.
struct Run {
  Tile tile;
  index_t tiles;
  index_t place;         // of the first one among those of the block
  index_t first_output;  // along the row
  index_t first_point;   // of a whole tile's
};

/// A row of tiles of a block.
struct TileRow {
  index_t image;
  Range outputs;  // down the image, or of each residue of rows
  std::array<Run, 2> runs;
};

/// How the work is cut.
struct Blocking {
  Residues rows, columns;
  Tile tile;           // a whole one
  Tiling down, along;  // of an image
  index_t tile_rows;   // of all images
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
        down(tile.rows, rows.numbers.size()),
        along(tile.columns, columns.numbers.size()),
        tile_rows(problem.N * down.count()) {}

  index_t points() const { return tile.points(); }
  index_t residues() const { return rows.count * columns.count; }
  index_t tiles_across() const { return along.count(); }
  /// Of an image and two channels: points of all tiles and residues at which kernels are not zero.
  index_t products() const {
    return (rows.count * down.points() - rows.zeros * down.count()) *
           (columns.count * along.points() - columns.zeros * along.count());
  }
  /// Rows of tiles, counted through all images.
  Range rows_of(index_t block) const {
    return {block * tile_rows / blocks, (block + 1) * tile_rows / blocks};
  }
  TilePlaces places_of(index_t block) const {
    const index_t whole = whole_rows(rows_of(block));
    return {.whole_rows = whole,
            .shorter_rows = rows_of(block).size() - whole,
            .whole_columns = along.whole,
            .shorter_columns = along.shorter};
  }
  /// Row `row` of all rows of tiles, which is one of the block.
  TileRow tile_row(index_t block, index_t row) const {
    const Range before{rows_of(block).begin, row};
    const index_t in_image = row % down.count(), first = down.first(in_image);
    const bool whole = in_image < down.whole;
    const index_t alike = whole ? whole_rows(before) : before.size() - whole_rows(before);
    const TilePlaces places = places_of(block);
    const TileAxis axis = whole ? tile.rows : shorter(tile.rows);
    const index_t skipped = whole ? 0 : tile.columns.points();
    return {.image = row / down.count(),
            .outputs = {first, std::min(first + down.outputs(in_image), rows.numbers.size())},
            .runs = {Run{.tile = {axis, tile.columns},
                         .tiles = along.whole,
                         .place = places.first(whole, true, alike),
                         .first_output = 0,
                         .first_point = skipped},
                     Run{.tile = {axis, shorter(tile.columns)},
                         .tiles = along.shorter,
                         .place = places.first(whole, false, alike),
                         .first_output = along.first(along.whole),
                         .first_point = skipped + 1}}};
  }
  PointStrides point_strides(index_t point) const {
    return {.i = tile.columns.points() * point, .j = point};
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
  index_t tiles() const { return block_rows * tiles_across(); }

 private:
  /// Among these rows of tiles.
  index_t whole_rows(const Range& rows_of_tiles) const {
    const auto before = [this](index_t row) {
      return row / down.count() * down.whole + std::min(row % down.count(), down.whole);
    };
    return before(rows_of_tiles.end) - before(rows_of_tiles.begin);
  }
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
