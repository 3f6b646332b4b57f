package pickle

// Opcodes of the pickle machine, from the documentation of Python's pickletools.
const (
	opMark           = '('
	opStop           = '.'
	opPop            = '0'
	opPopMark        = '1'
	opDup            = '2'
	opFloat          = 'F'
	opInt            = 'I'
	opBinInt         = 'J'
	opBinInt1        = 'K'
	opLong           = 'L'
	opBinInt2        = 'M'
	opNone           = 'N'
	opPersID         = 'P'
	opBinPersID      = 'Q'
	opReduce         = 'R'
	opString         = 'S'
	opBinString      = 'T'
	opShortBinString = 'U'
	opUnicode        = 'V'
	opBinUnicode     = 'X'
	opAppend         = 'a'
	opBuild          = 'b'
	opGlobal         = 'c'
	opDict           = 'd'
	opEmptyDict      = '}'
	opAppends        = 'e'
	opGet            = 'g'
	opBinGet         = 'h'
	opInst           = 'i'
	opLongBinGet     = 'j'
	opList           = 'l'
	opEmptyList      = ']'
	opObj            = 'o'
	opPut            = 'p'
	opBinPut         = 'q'
	opLongBinPut     = 'r'
	opSetItem        = 's'
	opTuple          = 't'
	opEmptyTuple     = ')'
	opSetItems       = 'u'
	opBinFloat       = 'G'
	opBinBytes       = 'B'
	opShortBinBytes  = 'C'

	opProto           = 0x80
	opNewObj          = 0x81
	opExt1            = 0x82
	opExt2            = 0x83
	opExt4            = 0x84
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opLong4           = 0x8b
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opNewObjEx        = 0x92
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
	opByteArray8      = 0x96
	opNextBuffer      = 0x97
	opReadonlyBuffer  = 0x98
)

// argument is what follows an opcode.
type argument uint8

const (
	noOpcode  argument = iota
	nothing            // no argument
	uint8Arg           // a little-endian number of so many bits
	uint16Arg          //
	uint32Arg          //
	int32Arg           //
	float8Arg          // a float64, most significant byte first
	frameArg           // a length of what follows, of 8 bytes
	long1Arg           // a length of 1 or 4 bytes and as many of a number
	long4Arg           //
	text1Arg           // a length of 1, 4 or 8 bytes and as many of text
	text4Arg           //
	text8Arg           //
	numberArg          // a line of digits
	lineArg            // a line of text
	nameArg            // two lines: module and name
)

var arguments = [256]argument{
	opMark: nothing, opStop: nothing, opPop: nothing, opPopMark: nothing, opDup: nothing, opNone: nothing,
	opBinPersID: nothing, opReduce: nothing, opAppend: nothing, opBuild: nothing, opDict: nothing, opEmptyDict: nothing,
	opAppends: nothing, opList: nothing, opEmptyList: nothing, opObj: nothing, opSetItem: nothing, opTuple: nothing,
	opEmptyTuple: nothing, opSetItems: nothing, opNewObj: nothing, opTuple1: nothing, opTuple2: nothing, opTuple3: nothing,
	opNewTrue: nothing, opNewFalse: nothing, opEmptySet: nothing, opAddItems: nothing, opFrozenSet: nothing,
	opNewObjEx: nothing, opStackGlobal: nothing, opMemoize: nothing, opNextBuffer: nothing, opReadonlyBuffer: nothing,
	opBinInt1: uint8Arg, opBinGet: uint8Arg, opBinPut: uint8Arg, opProto: uint8Arg, opExt1: uint8Arg,
	opBinInt2: uint16Arg, opExt2: uint16Arg,
	opLongBinGet: uint32Arg, opLongBinPut: uint32Arg,
	opBinInt: int32Arg, opExt4: int32Arg,
	opBinFloat: float8Arg, opFrame: frameArg, opLong1: long1Arg, opLong4: long4Arg,
	opShortBinString: text1Arg, opShortBinBytes: text1Arg, opShortBinUnicode: text1Arg,
	opBinString: text4Arg, opBinBytes: text4Arg, opBinUnicode: text4Arg,
	opBinUnicode8: text8Arg, opBinBytes8: text8Arg, opByteArray8: text8Arg,
	opFloat: numberArg, opInt: numberArg, opLong: numberArg, opPersID: numberArg, opGet: numberArg, opPut: numberArg,
	opString: lineArg, opUnicode: lineArg,
	opGlobal: nameArg, opInst: nameArg,
}
