//! Loopback stand-ins for the LiveKit control plane and for Cekura's API: the quickstart and the test bench.
