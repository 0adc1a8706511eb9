// Version of the library. The build system reads these three lines; there is no second copy.

#pragma once

#define GENEVE_VERSION_MAJOR 0
#define GENEVE_VERSION_MINOR 1
#define GENEVE_VERSION_PATCH 0
