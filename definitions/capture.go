package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// readCapture reads the Ethernet frames of a capture: pcap in either order of
// octets (draft-ietf-opsawg-pcap), or pcapng (draft-ietf-opsawg-pcapng).
func readCapture(r io.Reader, each func(frame []byte)) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("read the capture: %w", err)
	}
	switch magic := binary.LittleEndian.Uint32(head[:]); magic {
	case 0xa1b2c3d4, 0xa1b23c4d:
		return readPcap(r, binary.LittleEndian, each)
	case 0xd4c3b2a1, 0x4d3cb2a1:
		return readPcap(r, binary.BigEndian, each)
	case 0x0a0d0d0a:
		return readPcapNG(r, each)
	}
	return errors.New("read the capture: neither pcap nor pcapng; write one with: tcpdump -w FILE")
}

// Bounds of a capture.
const (
	maxCaptured  = 256 << 10 // bytes of one frame
	linkEthernet = 1
)

func readPcap(r io.Reader, order binary.ByteOrder, each func([]byte)) error {
	var head [20]byte // behind the magic number
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("read the capture's head: %w", err)
	}
	if link := order.Uint32(head[16:]) & 0xffff; link != linkEthernet {
		return fmt.Errorf("read the capture: link type %d; want Ethernet (1), from one interface and not from \"any\"", link)
	}
	for n := 1; ; n++ {
		var record [16]byte
		if _, err := io.ReadFull(r, record[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("read frame %d of the capture: %w", n, err)
		}
		frame, err := readSome(r, order.Uint32(record[8:]))
		if err != nil {
			return fmt.Errorf("read frame %d of the capture: %w", n, err)
		}
		each(frame)
	}
}

func readSome(r io.Reader, n uint32) ([]byte, error) {
	if n > maxCaptured {
		return nil, fmt.Errorf("%d bytes; want at most %d", n, maxCaptured)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// The blocks of pcapng that are read; others are skipped.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockSimple    = 3
	blockPacket    = 6
)

// readPcapNG reads the blocks behind the type of the first one.
func readPcapNG(r io.Reader, each func([]byte)) error {
	var order binary.ByteOrder = binary.LittleEndian
	var links []uint16
	kind := uint32(blockSection)
	for n := 1; ; n++ {
		if n > 1 {
			var b [4]byte
			if _, err := io.ReadFull(r, b[:]); err == io.EOF {
				return nil
			} else if err != nil {
				return fmt.Errorf("read block %d of the capture: %w", n, err)
			}
			kind = order.Uint32(b[:])
		}
		body, err := readBlock(r, kind, &order)
		if err != nil {
			return fmt.Errorf("read block %d of the capture: %w", n, err)
		}
		switch {
		case kind == blockSection:
			links = nil
		case kind == blockInterface && len(body) >= 2:
			links = append(links, order.Uint16(body))
		case kind == blockPacket && len(body) >= 20:
			i, size := order.Uint32(body), order.Uint32(body[12:])
			if int(i) < len(links) && links[i] == linkEthernet && int64(size) <= int64(len(body)-20) {
				each(body[20 : 20+size])
			}
		case kind == blockSimple && len(body) >= 4 && len(links) > 0 && links[0] == linkEthernet:
			each(body[4:min(len(body), 4+int(min(order.Uint32(body), maxCaptured)))])
		}
	}
}

// readBlock reads a block behind its type, and of a section's head the order of
// octets.
func readBlock(r io.Reader, kind uint32, order *binary.ByteOrder) ([]byte, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:4]); err != nil {
		return nil, err
	}
	done := uint32(8)
	if kind == blockSection {
		if _, err := io.ReadFull(r, b[4:]); err != nil {
			return nil, err
		}
		switch binary.LittleEndian.Uint32(b[4:]) {
		case 0x1a2b3c4d:
			*order = binary.LittleEndian
		case 0x4d3c2b1a:
			*order = binary.BigEndian
		default:
			return nil, errors.New("a section without its order of octets")
		}
		done = 12
	}
	total := (*order).Uint32(b[:4])
	if total < done+4 || total%4 != 0 {
		return nil, fmt.Errorf("a block of %d bytes", total)
	}
	body, err := readSome(r, total-done)
	if err != nil {
		return nil, err
	}
	return body[:len(body)-4], nil // its length stands behind it once more
}
