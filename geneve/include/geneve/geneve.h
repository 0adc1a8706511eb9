// The whole public interface of libgeneve.
#pragma once

#include "geneve/bytes.h"          // IWYU pragma: export
#include "geneve/checksum.h"       // IWYU pragma: export
#include "geneve/ecn.h"            // IWYU pragma: export
#include "geneve/encode.h"         // IWYU pragma: export
#include "geneve/error.h"          // IWYU pragma: export
#include "geneve/header.h"         // IWYU pragma: export
#include "geneve/leman_options.h"  // IWYU pragma: export
#include "geneve/option.h"         // IWYU pragma: export
#include "geneve/option_set.h"     // IWYU pragma: export
#include "geneve/packet.h"         // IWYU pragma: export
#include "geneve/registry.h"       // IWYU pragma: export
#include "geneve/result.h"         // IWYU pragma: export
#include "geneve/text.h"           // IWYU pragma: export
#include "geneve/version.h"        // IWYU pragma: export
#include "geneve/vni.h"            // IWYU pragma: export
