// Package prove shows that a vulnerable server behind the appliance answers as
// the patched one does. For each definition with a proof (the folder proof
// beside its patch.yaml) it installs both versions of the server, puts the
// vulnerable one behind the real dataplane program in network namespaces and
// both of them beside, on a cable, with the same addresses; then it sends the
// same requests to all three, in many forms and segmentations, and compares
// what comes back.
//
// A request on which the two versions alone answer alike is harmless, any other
// is a trigger. Behind the appliance the answer must be that of the patched
// version to both; so nothing in here knows what a correction is. The command
// is: go run ./definitions prove. It needs root; nothing of it is part of the
// appliance.
package prove
