# Finds OpenBLAS: the target OpenBLAS::OpenBLAS.
#
# Debian installs a serial, a pthread and an OpenMP build side by side, each in a folder of its own.
# The OpenMP one comes first: it has no threads beside the program's own. The serial one is the last,
# since it is built without locks: products of two threads get the same buffer, and wrong results.

find_path(OpenBLAS_INCLUDE_DIR cblas.h
  PATH_SUFFIXES openblas-openmp openblas-pthread openblas openblas-serial)
find_library(OpenBLAS_LIBRARY openblas
  PATH_SUFFIXES openblas-openmp openblas-pthread openblas-serial)
mark_as_advanced(OpenBLAS_INCLUDE_DIR OpenBLAS_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenBLAS REQUIRED_VARS OpenBLAS_LIBRARY OpenBLAS_INCLUDE_DIR)

if(OpenBLAS_FOUND AND NOT TARGET OpenBLAS::OpenBLAS)
  add_library(OpenBLAS::OpenBLAS UNKNOWN IMPORTED)
  set_target_properties(OpenBLAS::OpenBLAS PROPERTIES
    IMPORTED_LOCATION ${OpenBLAS_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${OpenBLAS_INCLUDE_DIR})
endif()
