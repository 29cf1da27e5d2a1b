#pragma once

#include <algorithm>

#include "core/plane.h"
#include "winograd/cook_toom.h"

namespace fullconv::winograd {

/// The tiles of one axis: whole ones, and behind them some that have an output less, as many as
/// whole ones alone would have outputs too many. These lack the point 0: 14 outputs of 3 taps take
/// 6 + 6 + 5 + 5 products and not 4·6.
struct Tiling {
  TileAxis axis;
  index_t whole, shorter;

  Tiling(const TileAxis& whole_axis, index_t outputs) : axis(whole_axis), whole(0), shorter(0) {
    const index_t tiles = ceil_divide(outputs, axis.outputs);
    if (has_shorter(axis)) shorter = std::min(tiles, tiles * axis.outputs - outputs);
    whole = tiles - shorter;
  }

  index_t count() const { return whole + shorter; }
  /// The first output of a tile.
  index_t first(index_t tile) const {
    return tile * axis.outputs - std::max<index_t>(0, tile - whole);
  }
  index_t outputs(index_t tile) const { return axis.outputs - (tile < whole ? 0 : 1); }
  /// Of all tiles.
  index_t points() const { return count() * axis.points() - shorter; }
};

/// Rows of tiles, some of them whole, and columns: where in a block each tile is. First come those
/// of whole rows and shorter columns, then what is whole both ways, then shorter rows of whole
/// columns, then what is shorter both ways: so those that have a certain point are neighbours.
struct TilePlaces {
  index_t whole_rows, shorter_rows, whole_columns, shorter_columns;

  /// Of a kind, of which so many rows come before.
  index_t first(bool whole_row, bool whole_column, index_t rows_before) const {
    const index_t columns = whole_column ? whole_columns : shorter_columns;
    return group(whole_row ? (whole_column ? 1 : 0) : (whole_column ? 2 : 3)) +
           rows_before * columns;
  }
  /// Those that have a point which is 0 down the columns, along the rows, or both.
  Range having(bool zero_down, bool zero_along) const {
    return {group(zero_along ? 1 : 0), group(zero_down ? 2 : zero_along ? 3 : 4)};
  }

 private:
  /// Where so many groups end.
  index_t group(int groups) const {
    const index_t sizes[] = {whole_rows * shorter_columns, whole_rows * whole_columns,
                             shorter_rows * whole_columns, shorter_rows * shorter_columns};
    index_t end = 0;
    for (int g = 0; g < groups; ++g) end += sizes[g];
    return end;
  }
};

}  // namespace fullconv::winograd
