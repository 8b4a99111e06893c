// Checks files of a log with golang.org/x/mod: what is parsed here is checked there.
// Usage: checklog VKEY FILE...; prints a line "ok FILE" or "bad FILE: why" for each.
// Kinds by name: *.note a signed note; *.inclusion "size index root leaf", hashes;
// *.consistency "size root oldsize oldroot", hashes; *.json what audit watch writes of a fork,
// whose two notes must both be signed and name different trees.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func check(verifier note.Verifier, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if strings.HasSuffix(file, ".note") {
		_, err := note.Open(data, note.VerifierList(verifier))
		return err
	}
	if strings.HasSuffix(file, ".json") {
		return checkEvidence(verifier, data)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	head := strings.Fields(lines[0])
	var proof []tlog.Hash
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	inclusion := strings.HasSuffix(file, ".inclusion")
	place := map[bool][]int{true: {0, 1, 2, 3}, false: {0, 2, 1, 3}}[inclusion]
	size, err1 := strconv.ParseInt(head[place[0]], 10, 64)
	other, err2 := strconv.ParseInt(head[place[1]], 10, 64)
	root, err3 := tlog.ParseHash(head[place[2]])
	hash, err4 := tlog.ParseHash(head[place[3]])
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return err
		}
	}
	if inclusion {
		return tlog.CheckRecord(tlog.RecordProof(proof), size, root, other, hash)
	}
	return tlog.CheckTree(tlog.TreeProof(proof), size, root, other, hash)
}

func checkEvidence(verifier note.Verifier, data []byte) error {
	var evidence struct{ Remembered, Shown string }
	if err := json.Unmarshal(data, &evidence); err != nil {
		return err
	}
	remembered, err := note.Open([]byte(evidence.Remembered), note.VerifierList(verifier))
	if err != nil {
		return err
	}
	shown, err := note.Open([]byte(evidence.Shown), note.VerifierList(verifier))
	if err != nil {
		return err
	}
	if remembered.Text == shown.Text {
		return fmt.Errorf("both notes say the same")
	}
	return nil
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	if err != nil {
		fmt.Println("bad key:", err)
		os.Exit(1)
	}
	for _, file := range os.Args[2:] {
		if err := check(verifier, file); err != nil {
			fmt.Printf("bad %s: %v\n", file, err)
		} else {
			fmt.Printf("ok %s\n", file)
		}
	}
}
