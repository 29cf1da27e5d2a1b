#pragma once

#include "fullconv/algorithm.h"         // IWYU pragma: export
#include "fullconv/calibration.h"       // IWYU pragma: export
#include "fullconv/choose.h"            // IWYU pragma: export
#include "fullconv/error_model.h"       // IWYU pragma: export
#include "fullconv/instruction_sets.h"  // IWYU pragma: export
#include "fullconv/memory.h"            // IWYU pragma: export
#include "fullconv/problem.h"           // IWYU pragma: export
#include "fullconv/view.h"              // IWYU pragma: export
