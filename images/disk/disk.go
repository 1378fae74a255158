// Package disk writes the appliance's disk: a GPT with an EFI system partition,
// which holds boot loader and firmware slots, and an empty data partition, in
// which the box makes its file system when it first starts; and the installer's
// stick, which has the first of these only. The same input gives the same bytes.
// It knows nothing of what the files are.
package disk

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem"
	"github.com/diskfs/go-diskfs/filesystem/fat32"
	"github.com/diskfs/go-diskfs/partition/gpt"
)

// The disk's measures. Above 260 MiB FAT32 has clusters of 4 KiB, with which
// firmware reads it several times as fast as with those of 512 bytes.
const (
	sector    = 512
	mib       = 1 << 20
	espStart  = 1 * mib
	ESPSize   = 288 * mib // two slots of firmware, and room to grow
	DataSize  = 222 * mib
	dataStart = espStart + ESPSize
	fileTime  = 1767225600                   // of every file: the first second of 2026
	Size      = dataStart + DataSize + 1*mib // the table's copy lies at the end
)

// The partitions as the table names them.
const (
	ESPName   = "wirepatch-esp"
	DataName  = "wirepatch-data"
	StickName = "wirepatch-install"
)

// Fixed, so that two builds are the same; the installer gives each disk its own.
const (
	diskGUID = "8F6C2B0E-57C1-4B5D-9C2D-6A1C7E5A1D01"
	espGUID  = "8F6C2B0E-57C1-4B5D-9C2D-6A1C7E5A1D02"
	dataGUID = "8F6C2B0E-57C1-4B5D-9C2D-6A1C7E5A1D03"

	stickGUID    = "8F6C2B0E-57C1-4B5D-9C2D-6A1C7E5A1D06"
	stickESPGUID = "8F6C2B0E-57C1-4B5D-9C2D-6A1C7E5A1D07"
)

// Write writes a disk with these files, by path, on its EFI system partition.
func Write(target string, files map[string][]byte) error {
	return write(target, Size, &gpt.Table{GUID: diskGUID, Partitions: []*gpt.Partition{
		partition(1, espStart, ESPSize, gpt.EFISystemPartition, ESPName, espGUID),
		partition(2, dataStart, DataSize, gpt.LinuxFilesystem, DataName, dataGUID),
	}}, files)
}

// WriteStick writes an installer's stick with these files.
func WriteStick(target string, files map[string][]byte) error {
	return write(target, espStart+ESPSize+1*mib, &gpt.Table{GUID: stickGUID, Partitions: []*gpt.Partition{
		partition(1, espStart, ESPSize, gpt.EFISystemPartition, StickName, stickESPGUID),
	}}, files)
}

func partition(index int, start, size uint64, kind gpt.Type, name, guid string) *gpt.Partition {
	return &gpt.Partition{Index: index, Start: start / sector, End: (start+size)/sector - 1, Size: size, Type: kind, Name: name, GUID: guid}
}

func write(target string, size int64, t *gpt.Table, files map[string][]byte) error {
	// diskfs takes the time that files get from the environment.
	if err := os.Setenv("SOURCE_DATE_EPOCH", strconv.Itoa(fileTime)); err != nil {
		return err
	}
	f, err := os.Create(target)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	b := file.New(f, false)
	t.LogicalSectorSize, t.PhysicalSectorSize, t.ProtectiveMBR = sector, sector, true
	if err := t.Write(f, size); err != nil {
		return fmt.Errorf("write partition table: %w", err)
	}
	if err := writeESP(b, files); err != nil {
		return fmt.Errorf("write EFI system partition: %w", err)
	}
	if err := correctParents(io.NewOffsetWriter(f, espStart), io.NewSectionReader(f, espStart, ESPSize)); err != nil {
		return fmt.Errorf("write EFI system partition: %w", err)
	}
	return f.Sync()
}

func writeESP(b backend.Storage, files map[string][]byte) error {
	esp, err := fat32.Create(b, ESPSize, espStart, sector, "WIREPATCH", true)
	if err != nil {
		return err
	}
	defer esp.Close()
	made := map[string]bool{"/": true}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := mkdirs(esp, made, path.Dir("/"+name)); err != nil {
			return err
		}
		if err := writeFile(esp, "/"+name, files[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func mkdirs(esp filesystem.FileSystem, made map[string]bool, dir string) error {
	if made[dir] {
		return nil
	}
	if err := mkdirs(esp, made, path.Dir(dir)); err != nil {
		return err
	}
	made[dir] = true
	return esp.Mkdir(dir)
}

func writeFile(esp filesystem.FileSystem, name string, text []byte) error {
	f, err := esp.OpenFile(name, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}
	if n, err := f.Write(text); err != nil || n != len(text) {
		return fmt.Errorf("wrote %d of %d bytes: %w", n, len(text), err)
	}
	return f.Close()
}

// OpenESP opens the EFI system partition of the disk or image in f.
func OpenESP(f *os.File, readOnly bool) (filesystem.FileSystem, error) {
	b := file.New(f, readOnly)
	t, err := gpt.Read(b, sector, sector)
	if err != nil {
		return nil, fmt.Errorf("read partition table: %w", err)
	}
	for _, p := range t.Partitions {
		if p.Type == gpt.EFISystemPartition {
			return fat32.Read(b, int64(p.GetSize()), int64(p.Start)*sector, sector)
		}
	}
	return nil, fmt.Errorf("read partition table: it has no EFI system partition")
}

// ReadFile reads a whole file.
func ReadFile(esp filesystem.FileSystem, name string) ([]byte, error) {
	f, err := esp.OpenFile(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
