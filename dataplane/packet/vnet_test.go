package packet

import "testing"

func TestVNetRoundTrip(t *testing.T) {
	want := VNet{Flags: VNetNeedsCsum, GSOType: GSOTCPv6 | GSOECN, HdrLen: 74, GSOSize: 1428, CsumStart: 54, CsumOffset: 16}
	b := make([]byte, VNetLen)
	want.Marshal(b)
	var got VNet
	if !got.Unmarshal(b) || got != want {
		t.Errorf("Unmarshal(Marshal(%+v)) = %+v; want the same", want, got)
	}
	if got.Unmarshal(b[:VNetLen-1]) {
		t.Error("Unmarshal of 9 bytes = true; want false")
	}
}

func FuzzVNet(f *testing.F) {
	f.Add(make([]byte, VNetLen))
	f.Add([]byte{1, 0x81, 66, 0, 0xa8, 5, 34, 0, 16, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var v VNet
		if !v.Unmarshal(b) {
			return
		}
		out := make([]byte, VNetLen)
		v.Marshal(out)
		if string(out) != string(b[:VNetLen]) {
			t.Errorf("Marshal(Unmarshal(%x)) = %x; want the same", b, out)
		}
	})
}
