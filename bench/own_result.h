#pragma once

#include <string>

#include "operand_files.h"

namespace fullconv::cli {

/// Judges a result that somebody else computed, in a .npy file: prints whether it is right to the
/// precision of its type, and where it is not, which known mistakes account for it and where the
/// wrong outputs are. Returns whether it is right.
///
/// Throws UsageError, in one line that names the file at fault.
bool check_own_result(OperandFiles& files, const std::string& path, bool json);

}  // namespace fullconv::cli
