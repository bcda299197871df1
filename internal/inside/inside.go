// Package inside is what every walled place has in common, whoever builds its
// walls: the system calls that nobody inside may make, and how programs there
// are told of the proxy that is their way out.
//
// It builds nothing; sandbox/bwrap and sandbox/oci write it in their own words.
package inside
