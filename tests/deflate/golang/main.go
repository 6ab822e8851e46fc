// Compresses what it is asked to, with Go's own compress/flate, or klauspost's, or pgzip.
//
// A request is six numbers of 32 bits, lowest byte first, and then the bytes that the last two numbers count:
//
//	what compresses: 0 compress/flate, 1 klauspost/compress/flate, 2 klauspost/pgzip
//	the level
//	0, or the length of the pieces that are written; of pgzip, 0 or the length of its blocks
//	0 if the stream is ended, 1 if it is only flushed
//	the length of what comes before the stream
//	the length of the input
//
// The answer is the length of the deflate stream, as such a number, and the stream.
package main

import (
	"bufio"
	"bytes"
	std "compress/flate"
	"encoding/binary"
	"io"
	"log"
	"os"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/pgzip"
)

type flusher interface {
	io.WriteCloser
	Flush() error
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	for {
		var request [6]uint32
		if binary.Read(in, binary.LittleEndian, &request) == io.EOF {
			return
		}
		before, plain := make([]byte, request[4]), make([]byte, request[5])
		must(io.ReadFull(in, before))
		must(io.ReadFull(in, plain))
		stream := compress(request[0], int(int32(request[1])), int(request[2]), request[3] == 1, before, plain)
		fail(binary.Write(out, binary.LittleEndian, uint32(len(stream))))
		must(out.Write(stream))
		fail(out.Flush())
	}
}

func compress(family uint32, level, pieces int, flush bool, before, plain []byte) []byte {
	var stream bytes.Buffer
	if family == 2 {
		writer, err := pgzip.NewWriterLevel(&stream, level)
		fail(err)
		if pieces > 0 {
			fail(writer.SetConcurrency(pieces, 2))
		}
		must(writer.Write(plain))
		fail(writer.Close())
		// A header of 10 bytes, and a trailer of 8.
		return stream.Bytes()[10 : stream.Len()-8]
	}
	var writer flusher
	var err error
	if family == 1 {
		writer, err = flate.NewWriterDict(&stream, level, before)
	} else {
		writer, err = std.NewWriterDict(&stream, level, before)
	}
	fail(err)
	for pieces > 0 && len(plain) > pieces {
		must(writer.Write(plain[:pieces]))
		plain = plain[pieces:]
	}
	must(writer.Write(plain))
	if flush {
		fail(writer.Flush())
	} else {
		fail(writer.Close())
	}
	return stream.Bytes()
}

func must[T any](_ T, err error) {
	fail(err)
}

func fail(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
