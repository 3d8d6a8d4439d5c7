"""The operations that a SavedModel may hold: they compute, and touch nothing else.

TensorFlow has some 1,460 operations. A list of the harmful ones would never be whole
(`ImmutableConst` and `GenerateVocabRemapping` read files too), so this is the list of
those that encoders and heads are made of. It is wider than what `vpr export` writes
today, so that layers of users and older exports pass.
"""

from __future__ import annotations

_TENSORS = """
    BatchToSpaceND Bitcast BroadcastArgs BroadcastTo Cast ConcatOffset ConcatV2 Const
    DepthToSpace DynamicPartition DynamicStitch EnsureShape ExpandDims Fill Gather
    GatherNd GatherV2 Identity IdentityN InvertPermutation LinSpace MirrorPad NoOp
    OneHot OnesLike Pack Pad PadV2 ParallelDynamicStitch Placeholder
    PlaceholderWithDefault PreventGradient Range Rank Reshape Reverse ReverseSequence
    ReverseV2 Roll ScatterNd Select SelectV2 Shape ShapeN Size Slice Snapshot
    SpaceToBatchND SpaceToDepth Split SplitV Squeeze StopGradient StridedSlice
    TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
    TensorScatterUpdate TensorStridedSliceUpdate Tile Transpose Unique UniqueV2
    UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex Where ZerosLike
"""
_NUMBERS = """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 All Angle Any ApproximateEqual ArgMax
    ArgMin Asin Asinh Atan Atan2 Atanh BesselI0 BesselI0e BesselI1 BesselI1e Betainc
    Bincount BitwiseAnd BitwiseOr BitwiseXor Bucketize Ceil ClipByValue Complex
    ComplexAbs Conj Cos Cosh Cumprod Cumsum CumulativeLogsumexp DenseBincount Digamma
    Div DivNoNan Equal Erf Erfc Erfinv EuclideanNorm Exp Expm1 Floor FloorDiv FloorMod
    Greater GreaterEqual HistogramFixedWidth Igamma Igammac Imag InTopKV2 Inv Invert
    IsFinite IsInf IsNan L2Loss LeftShift Less LessEqual Lgamma Log Log1p LogicalAnd
    LogicalNot LogicalOr LowerBound Max Maximum Mean Min Minimum Mod Mul MulNoNan Ndtri
    Neg NextAfter NotEqual NthElement Polygamma PopulationCount Pow Prod Real RealDiv
    Reciprocal RightShift Rint Round Rsqrt SegmentMax SegmentMean SegmentMin
    SegmentProd SegmentSum Sign Sin Sinh Sqrt Square SquaredDifference Sub Sum Tan Tanh
    ToBool TopK TopKV2 TruncateDiv TruncateMod UnsortedSegmentMax UnsortedSegmentMin
    UnsortedSegmentProd UnsortedSegmentSum UpperBound Xdivy Xlog1py Xlogy Zeta
"""
_MATRICES = """
    BatchMatMul BatchMatMulV2 BatchMatMulV3 Cholesky ConjugateTranspose Cross Diag
    DiagPart Eig Einsum FFT FFT2D FFT3D IFFT IFFT2D IFFT3D IRFFT IRFFT2D IRFFT3D
    LogMatrixDeterminant Lu MatMul MatrixBandPart MatrixDeterminant MatrixDiag
    MatrixDiagPart MatrixDiagPartV3 MatrixDiagV3 MatrixExponential MatrixInverse
    MatrixLogarithm MatrixSetDiag MatrixSetDiagV3 MatrixSolve MatrixSolveLs
    MatrixSquareRoot MatrixTriangularSolve Qr RFFT RFFT2D RFFT3D SelfAdjointEigV2 Svd
    TridiagonalMatMul TridiagonalSolve
"""
_NETWORKS = """
    AvgPool AvgPool3D BiasAdd BiasAddV1 Conv Conv2D Conv2DBackpropInput Conv3D
    Conv3DBackpropInputV2 DataFormatDimMap DataFormatVecPermute DepthwiseConv2dNative
    Dilation2D Elu FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
    FakeQuantWithMinMaxVarsPerChannel FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3
    LRN LeakyRelu LogSoftmax MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax Relu Relu6
    Selu Sigmoid Softmax Softplus Softsign
"""
_IMAGES = """
    AdjustContrastv2 AdjustHue AdjustSaturation CropAndResize DecodeAndCropJpeg
    DecodeBase64 DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng DecodeRaw
    DecodeWebP ExtractGlimpseV2 ExtractImagePatches ExtractJpegShape HSVToRGB
    ImageProjectiveTransformV2 ImageProjectiveTransformV3 NonMaxSuppressionV3
    NonMaxSuppressionV4 NonMaxSuppressionV5 RGBToHSV ResizeArea ResizeBicubic
    ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate
"""
_TEXT = "AsString StringFormat StringJoin StringLength Substr"
_RANDOM = """
    RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt
    StatelessRandomGetAlg StatelessRandomGetKeyCounter StatelessRandomNormal
    StatelessRandomNormalV2 StatelessRandomUniform StatelessRandomUniformInt
    StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessTruncatedNormal
    StatelessTruncatedNormalV2 TruncatedNormal
"""
_CONTROL = """
    Assert Case ControlTrigger If Merge PartitionedCall StatefulPartitionedCall
    StatelessCase StatelessIf StatelessWhile Switch While
"""
_LISTS = """
    EmptyTensorList TensorListConcatV2 TensorListElementShape TensorListFromTensor
    TensorListGather TensorListGetItem TensorListLength TensorListPopBack
    TensorListPushBack TensorListReserve TensorListResize TensorListScatterV2
    TensorListSetItem TensorListSplit TensorListStack
"""
_VARIABLES = """
    AssignAddVariableOp AssignSubVariableOp AssignVariableOp DisableCopyOnRead
    ReadVariableOp ResourceGather ResourceGatherNd VarHandleOp VarIsInitializedOp
    VariableShape
"""
# Of tensors in memory alone: no dataset of files, cache, snapshot or service.
_PIPELINES = """
    BatchDatasetV2 ConcatenateDataset DatasetToSingleElement IgnoreErrorsDataset
    MapDataset OptionsDataset PaddedBatchDatasetV2 ParallelMapDataset
    ParallelMapDatasetV2 PrefetchDataset RangeDataset RewriteDataset TensorDataset
    TensorSliceDataset ZipDataset
"""

COMPUTING = frozenset(
    " ".join(
        (
            *(_TENSORS, _NUMBERS, _MATRICES, _NETWORKS, _IMAGES, _TEXT, _RANDOM),
            *(_CONTROL, _LISTS, _VARIABLES, _PIPELINES),
        )
    ).split()
)
# These read and write checkpoints. Every SavedModel holds them, for programs that save
# it again; they are harmless as long as nothing that is loaded refers to them.
SAVING = frozenset(
    (
        *("MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename"),
        "StaticRegexFullMatch",
    )
)
