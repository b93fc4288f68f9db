// What a commit survives. Pure value.
#pragma once

namespace verbatim::storage {

enum class Durability {
  power,    ///< synchronous=FULL: a power cut loses nothing that was acknowledged
  process,  ///< synchronous=NORMAL: kill -9 loses nothing; a power cut may
};

}  // namespace verbatim::storage
