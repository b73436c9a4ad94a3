package machine

import (
	"strconv"
	"strings"

	winregistry "golang.org/x/sys/windows/registry"
)

// registry reads one value of the registry.
func registry(key, name string) (string, bool) {
	root := winregistry.CURRENT_USER
	path, ok := strings.CutPrefix(key, `HKCU\`)
	if !ok {
		root, path = winregistry.LOCAL_MACHINE, strings.TrimPrefix(key, `HKLM\`)
	}
	k, err := winregistry.OpenKey(root, path, winregistry.QUERY_VALUE)
	if err != nil {
		return "", false
	}
	defer k.Close()
	if text, _, err := k.GetStringValue(name); err == nil {
		return text, true
	}
	if number, _, err := k.GetIntegerValue(name); err == nil {
		return strconv.FormatUint(number, 10), true
	}
	if data, _, err := k.GetBinaryValue(name); err == nil {
		return string(data), true
	}
	return "", false
}
