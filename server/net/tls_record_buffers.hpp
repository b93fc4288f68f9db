// Recycles OpenSSL's record buffers. OpenSSL allocates 17 KiB for each TLS record and frees them
// with the record; a silent connection holds none. Each thread keeps a few freed buffers for the
// next record of any connection.
#pragma once

namespace verbatim::net {

/// Call once, before anything of OpenSSL is used. Has no effect afterwards.
void recycle_record_buffers();

}  // namespace verbatim::net
