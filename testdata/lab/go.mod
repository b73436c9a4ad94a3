module goproxy-lab

go 1.26
