module github.com/weir-gateway/weir/bindings/go

go 1.19
