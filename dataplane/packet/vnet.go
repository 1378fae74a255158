package packet

import "encoding/binary"

// VNetLen is the length of a virtio-net header as TAP and AF_PACKET carry it,
// in bytes.
const VNetLen = 10

// Flags and GSO types of a virtio-net header (virtio 1.2, section 5.1.6).
const (
	VNetNeedsCsum = 1    // Flags: the checksum field holds only the pseudo-header's sum
	VNetDataValid = 2    // Flags: the checksum has been verified
	GSONone       = 0    // GSOType: one frame as on the wire
	GSOTCPv4      = 1    // GSOType: TCP over IPv4, to be cut in segments of GSOSize
	GSOUDP        = 3    // GSOType: IPv4 datagram, to be fragmented
	GSOTCPv6      = 4    // GSOType: TCP over IPv6, to be cut in segments of GSOSize
	GSOECN        = 0x80 // GSOType, in addition: CWR only on the first segment
)

// VNet is the virtio-net header that goes before each frame between the kernel
// and the engine: what is left to do to the frame before it is fit for a wire.
type VNet struct {
	Flags      uint8
	GSOType    uint8
	HdrLen     uint16 // length of Ethernet to TCP header, a hint
	GSOSize    uint16 // payload of each segment, bytes
	CsumStart  uint16 // where the sum begins, from the start of the frame
	CsumOffset uint16 // where it is to be written, from CsumStart
}

// Unmarshal reads the header from the front of b; false if b is too short.
func (v *VNet) Unmarshal(b []byte) bool {
	if len(b) < VNetLen {
		return false
	}
	v.Flags, v.GSOType = b[0], b[1]
	v.HdrLen = binary.NativeEndian.Uint16(b[2:])
	v.GSOSize = binary.NativeEndian.Uint16(b[4:])
	v.CsumStart = binary.NativeEndian.Uint16(b[6:])
	v.CsumOffset = binary.NativeEndian.Uint16(b[8:])
	return true
}

// Marshal writes the header to the front of b, which must hold VNetLen bytes.
func (v *VNet) Marshal(b []byte) {
	_ = b[VNetLen-1]
	b[0], b[1] = v.Flags, v.GSOType
	binary.NativeEndian.PutUint16(b[2:], v.HdrLen)
	binary.NativeEndian.PutUint16(b[4:], v.GSOSize)
	binary.NativeEndian.PutUint16(b[6:], v.CsumStart)
	binary.NativeEndian.PutUint16(b[8:], v.CsumOffset)
}
