// The failures that a commit survives (setting journal.durability). A pure value.
#pragma once

namespace verbatim::sqlite {

enum class Durability {
  power,    ///< synchronous=FULL: a power cut loses nothing that was reported durable
  process,  ///< synchronous=NORMAL: kill -9 loses nothing; a power cut may
};

}  // namespace verbatim::sqlite
