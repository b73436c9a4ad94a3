package credential

// ParseToken is what is made of an endpoint's answer, for a fuzz test.
var ParseToken = parseToken
