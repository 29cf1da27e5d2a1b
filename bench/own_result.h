#pragma once

#include <string>

#include "operand_files.h"

namespace fullconv::cli {

/// Checks a result that somebody else computed, in a .npy file. Prints whether it is right to the
/// precision of its type; if it is not, which known mistakes explain it and where the wrong outputs
/// are. Returns whether it is right.
///
/// Throws UsageError, in one line that names the file at fault.
bool check_own_result(OperandFiles& files, const std::string& path, bool json);

}  // namespace fullconv::cli
