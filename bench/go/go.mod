module github.com/weir-gateway/weir/bench/go

go 1.19

require github.com/weir-gateway/weir/bindings/go v0.0.0

replace github.com/weir-gateway/weir/bindings/go => ../../bindings/go
