package banner

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
)

// MySQL and MariaDB: packet 0, protocol 10, the version to a zero.
func isMySQL(_ uint16, b []byte) bool {
	return len(b) > 5 && b[3] == 0 && b[4] == 10 && b[2] == 0 && b[5] >= '0' && b[5] <= '9'
}

func readMySQL(b []byte) (f Finding, more bool) {
	v, _, whole := bytes.Cut(b[5:], []byte{0})
	if !whole {
		return f, len(b) < 256
	}
	version := strings.TrimPrefix(string(v), "5.5.5-") // MariaDB's, for old clients
	name := "MySQL"
	if own, rest, ok := strings.Cut(version, "-MariaDB"); ok {
		name, version = "MariaDB", own+strings.TrimPrefix(rest, "-log")
	}
	f.Software = []Software{named(name, version, "greeting", string(v))}
	return f, false
}

// PostgreSQL: authentication requests, then parameters of the server.
func isPostgres(_ uint16, b []byte) bool {
	return len(b) >= 9 && b[0] == 'R' && binary.BigEndian.Uint32(b[1:]) < 2000 && b[1] == 0
}

func readPostgres(b []byte) (f Finding, more bool) {
	for len(b) >= 5 {
		n := binary.BigEndian.Uint32(b[1:])
		if n < 4 || n > MaxSaid {
			return f, false
		}
		if uint32(len(b)) < n+1 {
			return f, true
		}
		if b[0] == 'S' {
			if p := bytes.Split(b[5:n+1], []byte{0}); len(p) >= 2 && string(p[0]) == "server_version" {
				version, revision, _ := strings.Cut(string(p[1]), " (")
				if revision != "" {
					version += " " + strings.TrimSuffix(revision, ")")
				}
				f.Software = []Software{named("PostgreSQL", version, "server_version", string(p[1]))}
				return f, false
			}
		}
		b = b[n+1:]
	}
	return f, true
}

// AMQP 0-9-1: Connection.Start, with a table of what the server is.
func isAMQP(_ uint16, b []byte) bool {
	return len(b) >= 11 && b[0] == 1 && b[1] == 0 && b[2] == 0 && b[7] == 0 && b[8] == 10 && b[9] == 0 && b[10] == 10
}

func readAMQP(b []byte) (f Finding, more bool) {
	product, version := amqpText(b, "product"), amqpText(b, "version")
	if product != "" && version != "" {
		f.Software = []Software{named(product, version, "Connection.Start", product+" "+version)}
		return f, false
	}
	return f, uint32(len(b)) < binary.BigEndian.Uint32(b[3:])+8
}

// amqpText finds a long string in a field table by its name.
func amqpText(b []byte, name string) string {
	_, after, ok := bytes.Cut(b, append([]byte{byte(len(name))}, name+"S"...))
	if !ok || len(after) < 4 {
		return ""
	}
	n := binary.BigEndian.Uint32(after)
	if n > uint32(len(after)-4) {
		return ""
	}
	return string(after[4 : 4+n])
}

// Redis says nothing first; its errors and what INFO answers tell.
func isRedis(port uint16, b []byte) bool {
	return bytes.HasPrefix(b, []byte("-NOAUTH ")) || bytes.HasPrefix(b, []byte("-DENIED Redis")) || bytes.HasPrefix(b, []byte("+PONG\r\n")) ||
		b[0] == '$' && (port == 6379 || bytes.Contains(b, []byte("redis_version:")))
}

func readRedis(b []byte) (f Finding, more bool) {
	_, after, ok := bytes.Cut(b, []byte("redis_version:"))
	if v, _, whole := bytes.Cut(after, []byte("\r\n")); ok && whole {
		f.Software = []Software{named("Redis", string(v), "redis_version", string(v))}
		return f, false
	}
	return f, b[0] == '$' && len(b) < MaxSaid
}

// MQTT: CONNACK, of 2 bytes (3.1.1) or with properties (5.0).
func isMQTT(port uint16, b []byte) bool {
	return len(b) >= 4 && b[0] == 0x20 && (b[1] == 2 || port == 1883 && b[1] >= 3 && b[1] < 0x80) && b[2] <= 1
}

// versionOf is a version of two bytes, as TLS has it.
func versionOf(major, minor byte) string {
	if major == 3 && minor >= 1 {
		return "1." + strconv.Itoa(int(minor)-1)
	}
	return strconv.Itoa(int(major)) + "." + strconv.Itoa(int(minor))
}
