"""The operations that an exported encoder may hold: they compute, and nothing else.

Left out are control flow, functions, state, random numbers, strings, sequences,
decoders of images and everything that a plugin would have to bring. Wider than what
`vpr export` writes today, so that layers of users pass; see `saved_model_operations`.
"""

from __future__ import annotations

_ONNX = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool
    BatchNormalization BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike
    Ceil Celu CenterCropPad Clip Compress Concat Constant ConstantOfShape Conv
    ConvInteger ConvTranspose Cos Cosh CumSum DepthToSpace DequantizeLinear Det Div
    DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor Gather
    GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool
    Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid HardSwish Hardmax
    Identity InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less
    LessOrEqual Log LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool
    Mean MeanVarianceNormalization Min Mish Mod Mul Neg NonZero Not OneHot Or PRelu Pad
    Pow QLinearConv QLinearMatMul QuantizeLinear Range Reciprocal ReduceL1 ReduceL2
    ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Resize ReverseSequence Round ScatterElements ScatterND
    Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign
    SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose
    Trilu Unsqueeze Upsample Where Xor
"""
_OPENVINO = """
    Abs Acos Acosh AdaptiveAvgPool AdaptiveMaxPool Add Asin Asinh Atan Atanh AvgPool
    BatchNormInference BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Broadcast Ceiling
    Clamp Concat Const Convert ConvertLike Convolution ConvolutionBackpropData Cos Cosh
    CumSum DepthToSpace Divide Einsum Elu Equal Erf Exp ExtractImagePatches Eye
    FakeConvert FakeQuantize Floor FloorMod Gather GatherElements GatherND Gelu Greater
    GreaterEqual GridSample GroupConvolution GroupConvolutionBackpropData
    GroupNormalization HSigmoid HSwish HardSigmoid Interpolate Inverse IsFinite IsInf
    IsNaN LRN Less LessEqual Log LogSoftmax LogicalAnd LogicalNot LogicalOr LogicalXor
    MVN MatMul MaxPool Maximum Minimum Mish Mod Multiply Negative NonZero NormalizeL2
    NotEqual OneHot PReLU Pad Parameter Power RMS Range ReLU ReduceL1 ReduceL2
    ReduceLogicalAnd ReduceLogicalOr ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    Reshape Result ReverseSequence Roll Round ScaledDotProductAttention
    ScatterElementsUpdate ScatterNDUpdate ScatterUpdate Select Selu ShapeOf Sigmoid Sign
    Sin Sinh Slice SoftMax SoftPlus SoftSign Softmax SpaceToDepth Split Sqrt
    SquaredDifference Squeeze StridedSlice Subtract Swish Tan Tanh Tile TopK Transpose
    Unsqueeze VariadicSplit
"""
_TFLITE = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ATAN2 AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
    BROADCAST_ARGS BROADCAST_TO CAST CEIL CONCATENATION CONV_2D COS CUMSUM
    DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV ELU EQUAL EXP EXPAND_DIMS FAKE_QUANT
    FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GELU GREATER
    GREATER_EQUAL HARD_SWISH L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL
    LOCAL_RESPONSE_NORMALIZATION LOG LOGICAL_AND LOGICAL_NOT LOGICAL_OR LOGISTIC
    LOG_SOFTMAX MATRIX_DIAG MATRIX_SET_DIAG MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD
    MUL NEG NOT_EQUAL ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE RANGE RANK REDUCE_ALL
    REDUCE_ANY REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1
    RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SCATTER_ND
    SEGMENT_SUM SELECT SELECT_V2 SHAPE SIGN SIN SLICE SOFTMAX SPACE_TO_BATCH_ND
    SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE
    SUB SUM TANH TILE TOPK_V2 TRANSPOSE TRANSPOSE_CONV UNPACK WHERE ZEROS_LIKE
"""

ONNX_OPERATIONS = frozenset(_ONNX.split())
OPENVINO_OPERATIONS = frozenset(_OPENVINO.split())
TFLITE_OPERATIONS = frozenset(_TFLITE.split())
